// save_artifact merge: what holds for all texts and changes, tried on thousands that were made at random.
import { assert, assertEquals } from "@std/assert";
import { merge } from "../../supabase/functions/save-artifact/merge.ts";

/** The same numbers at every run, so that a failure can be seen again. */
function randomizer(seed: number) {
  return (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(seed / 2_147_483_648 * below);
  };
}

const RUNS = 2_000;
const text = (lines: string[]) => lines.map((line) => `${line}\n`).join("");

interface Change {
  from: number;
  to: number;
  lines: string[];
}

/** The base with all changes made; they are in order and apart. */
function apply(base: string[], changes: Change[]): string[] {
  const parts: string[] = [];
  let at = 0;
  for (const { from, to, lines } of changes) {
    parts.push(...base.slice(at, from), ...lines);
    at = to;
  }
  return [...parts, ...base.slice(at)];
}

/** Changes in order with at least one untouched line of the base between any two; new lines are like no other. */
function makeChanges(random: (below: number) => number, size: number, most: number): Change[] {
  const changes: Change[] = [];
  let at = 0;
  while (changes.length < most) {
    const from = at + random(4);
    const to = from + random(3);
    if (to > size) break;
    const added = Array.from({ length: to === from ? 1 + random(2) : random(3) }, () => `new ${random(1_000_000_000)}`);
    changes.push({ from, to, lines: added });
    at = to + 1;
  }
  return changes;
}

Deno.test("save_artifact merge: changes that do not touch are all kept, whoever made which", () => {
  const random = randomizer(1);
  let withBoth = 0;
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: 5 + random(60) }, (_, index) => `line ${index}`);
    const changes = makeChanges(random, base.length, 12);
    const sides = changes.map(() => random(2));
    const [mine, theirs] = [0, 1].map((side) => apply(base, changes.filter((_, index) => sides[index] === side)));
    if (new Set(sides).size === 2) withBoth++;
    const { merged } = merge(text(mine ?? []), text(base), text(theirs ?? []));
    assertEquals(merged, text(apply(base, changes)), JSON.stringify({ base, changes, sides }));
  }
  assert(withBoth > RUNS / 2, "Too few runs had changes on both sides");
});

Deno.test("save_artifact merge: one change each is kept, also among lines that repeat", () => {
  const random = randomizer(2);
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: 4 + random(12) }, () => ["", "}", "x"][random(3)] ?? "");
    const [first, second] = makeChanges(random, base.length, 2);
    if (!first || !second) continue;
    const [mine, theirs] = [text(apply(base, [first])), text(apply(base, [second]))];
    // Which of two equal lines was deleted nobody can tell; that one is missing and the new ones are there, they can.
    const both = apply(base, [first, second]).toSorted();
    for (const merged of [merge(mine, text(base), theirs).merged, merge(theirs, text(base), mine).merged]) {
      assertEquals(merged?.split("\n").slice(0, -1).toSorted(), both, JSON.stringify({ base, first, second }));
    }
  }
});

Deno.test("save_artifact merge: with one side unchanged, or both the same, there is nothing to decide", () => {
  const random = randomizer(3);
  for (let run = 0; run < RUNS; run++) {
    const [base, other] = [0, 1].map(() =>
      text(Array.from({ length: random(9) }, () => ["a", "b", ""][random(3)] ?? ""))
    );
    assertEquals(merge(other ?? "", base ?? "", base ?? "").merged, other);
    assertEquals(merge(base ?? "", base ?? "", other ?? "").merged, other);
    assertEquals(merge(other ?? "", base ?? "", other ?? "").merged, other);
  }
});

Deno.test("save_artifact merge: a line that either side added is in a merged text, or the two are a conflict", () => {
  const random = randomizer(4);
  let conflicts = 0;
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: random(12) }, () => ["", "}", "x"][random(3)] ?? "");
    const [mine, theirs] = [0, 1].map(() => apply(base, makeChanges(random, base.length, 3))) as [string[], string[]];
    const { merged } = merge(text(mine), text(base), text(theirs));
    if (merged === null) conflicts++;
    else {
      for (const line of [...mine, ...theirs].filter((line) => line.startsWith("new "))) {
        assert(merged.includes(`${line}\n`), JSON.stringify({ base, mine, theirs, merged }));
      }
    }
  }
  assert(conflicts > 0 && conflicts < RUNS, `${conflicts} of ${RUNS} are conflicts`);
});

Deno.test("save_artifact merge: hunks, put into the base, give each side back", () => {
  const random = randomizer(5);
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: random(20) }, () => `line ${random(15)}`);
    const [mine, theirs] = [0, 1].map(() => apply(base, makeChanges(random, base.length, 5))) as [string[], string[]];
    const { yours, theirs: hunks } = merge(text(mine), text(base), text(theirs));
    for (const [side, changed] of [[yours, mine], [hunks, theirs]] as const) {
      const changes = side.map(({ buffer1, buffer2 }) => ({
        from: buffer1.offset,
        to: buffer1.offset + buffer1.length,
        lines: buffer2.chunk.map((line) => line.replace(/\n$/, "")),
      }));
      assertEquals(apply(base, changes), changed);
    }
  }
});
