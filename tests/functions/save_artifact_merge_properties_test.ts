// save_artifact merge: what holds for all texts and changes, tried on thousands that were made at random.
import { assert, assertEquals } from "@std/assert";
import { merge } from "../../supabase/functions/save-artifact/merge.ts";
import { apply, type Change, makeChanges, makeTouching, randomizer, text } from "./merges.ts";

const RUNS = 2_000;

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

Deno.test("save_artifact merge: one change each with a line between is kept once, or refused where lines repeat", () => {
  const random = randomizer(2);
  let [clean, refused] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: 4 + random(12) }, () => ["", "}", "x"][random(3)] ?? "");
    const [first, second] = makeChanges(random, base.length, 2);
    // Two deletions may be the same one, which counts once.
    if (!first || !second || first.lines.length + second.lines.length === 0) continue;
    const { merged } = merge(text(apply(base, [first])), text(base), text(apply(base, [second])));
    // Which of two equal lines was deleted nobody can tell; that one is missing and the new ones are there, they can.
    const both = apply(base, [first, second]).toSorted();
    if (merged === null) refused++;
    else {
      clean++;
      assertEquals(merged.split("\n").slice(0, -1).toSorted(), both, JSON.stringify({ base, first, second }));
    }
  }
  assert(clean > 20 * refused, `${clean} were clean, ${refused} refused`);
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

Deno.test("save_artifact merge: one change each are merged only if all the best ways to read them give one text", () => {
  const random = randomizer(6);
  let [clean, refused, missed] = [0, 0, 0];
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: 2 + random(8) }, () => ["", "}", "x"][random(3)] ?? "");
    const [first, second] = makeTouching(random, base.length, 2);
    if (!first || !second || first.side === second.side) continue;
    const [mine, theirs] = [apply(base, [first]), apply(base, [second])];
    // Two deletions may be the same one, which counts once.
    if (first.lines.length + second.lines.length === 0) continue;
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
    if (merged !== null) assertEquals([...(apart.size > 0 ? apart : touching)], [merged], told);
    else if (apart.size + touching.size === 1) missed++;
    if (merged === null) refused++;
    else clean++;
  }
  assert(
    clean > 100 && refused > 0 && clean > 20 * missed,
    `${clean} were clean, ${refused} refused, ${missed} missed`,
  );
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
    const { yours, theirs: hunks } = merge(text(mine), text(base), text(theirs)).hunks();
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
