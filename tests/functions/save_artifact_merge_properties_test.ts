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
    const change = makeChange(random, at + random(4));
    if (change.to > size) break;
    changes.push(change);
    at = change.to + 1;
  }
  return changes;
}

function makeChange(random: (below: number) => number, from: number): Change {
  const to = from + random(3);
  const size = to === from ? 1 + random(2) : random(3);
  return { from, to, lines: Array.from({ length: size }, () => `new ${random(1_000_000_000)}`) };
}

interface SidedChange extends Change {
  side: number;
}

/** Changes of both sides that overlap nowhere: some begin where one of the other side ends, but for two insertions. */
function makeTouching(random: (below: number) => number, size: number, most: number): SidedChange[] {
  const changes: SidedChange[] = [];
  /** Up to where each side has changed the base already. */
  const ends = [-1, -1];
  while (changes.length < most) {
    const [side, last] = [random(2), changes.at(-1)];
    const change = makeChange(random, (last?.to ?? 0) + random(3));
    if (change.to > size) break;
    const isSame = last?.from === last?.to && change.from === change.to && last?.from === change.from;
    if (isSame || ends[side] === change.from) continue;
    changes.push({ ...change, side });
    ends[side] = change.to;
  }
  return changes;
}

Deno.test("save_artifact merge: changes that overlap nowhere are all kept, also where they touch", () => {
  const random = randomizer(1);
  let touching = 0;
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: 5 + random(60) }, (_, index) => `line ${index} ü 日本`);
    const changes = makeTouching(random, base.length, 12);
    const end = random(3) ? "\n" : "\r\n";
    const text = (lines: string[]) => lines.join(end) + (run % 4 && lines.length > 0 ? end : "");
    const [mine, theirs] = [0, 1].map((side) => text(apply(base, changes.filter((change) => change.side === side))));
    if (changes.some(({ from, side }, index) => changes[index - 1]?.to === from && changes[index - 1]?.side !== side)) {
      touching++;
    }
    const { merged } = merge(mine ?? "", text(base), theirs ?? "");
    assertEquals(merged, text(apply(base, changes)), JSON.stringify({ base, changes }));
  }
  assert(touching > RUNS / 2, "Too few runs had changes that touch");
});

Deno.test("save_artifact merge: one change each with a line between is kept, whatever lines repeat", () => {
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

/** Every place where one change of the fewest lines makes `changed` of the base. */
function placesOf(base: string[], changed: string[]): Change[] {
  const places: Change[] = [];
  for (let removed = 0; removed <= base.length && places.length === 0; removed++) {
    const added = changed.length - base.length + removed;
    for (let from = 0; added >= 0 && from + removed <= base.length; from++) {
      const change = { from, to: from + removed, lines: changed.slice(from, from + added) };
      if (text(apply(base, [change])) === text(changed)) places.push(change);
    }
  }
  return places;
}

Deno.test("save_artifact merge: one change each that touch are merged if all ways to read them give one text", () => {
  const random = randomizer(6);
  let [clean, refused] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: 2 + random(8) }, () => ["", "}", "x"][random(3)] ?? "");
    const [first, second] = makeTouching(random, base.length, 2);
    if (!first || !second || first.side === second.side) continue;
    const [mine, theirs] = [apply(base, [first]), apply(base, [second])];
    if (text(mine) === text(theirs)) continue;
    const [apart, touching] = [new Set<string>(), new Set<string>()];
    for (const mineAt of placesOf(base, mine)) {
      for (const theirsAt of placesOf(base, theirs)) {
        const [a, b] = mineAt.from < theirsAt.from || mineAt.to < theirsAt.to ? [mineAt, theirsAt] : [theirsAt, mineAt];
        if (a.to < b.from) apart.add(text(apply(base, [a, b])));
        else if (a.to === b.from && (a.from < a.to || b.from < b.to)) touching.add(text(apply(base, [a, b])));
      }
    }
    const { merged } = merge(text(mine), text(base), text(theirs));
    const told = JSON.stringify({ base, mine, theirs, merged });
    if (apart.size > 0) assert(merged !== null && apart.has(merged), told);
    else if (touching.size === 1) assert(merged !== null && touching.has(merged), told);
    else if (merged !== null) assert(touching.has(merged), told);
    if (merged === null) refused++;
    else clean++;
  }
  assert(clean > 100 && refused > 0, `${clean} were clean, ${refused} refused`);
});

Deno.test("save_artifact merge: it does not matter who was first", () => {
  const random = randomizer(7);
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: random(16) }, () => `${random(4)}`);
    const [mine, theirs] = [0, 1].map(() => text(apply(base, makeChanges(random, base.length, 4)))) as [string, string];
    assertEquals(merge(mine, text(base), theirs).merged, merge(theirs, text(base), mine).merged);
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
