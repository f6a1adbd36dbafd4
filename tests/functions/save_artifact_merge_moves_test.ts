// save_artifact merge: what holds where one side moved lines, whose old and new places comparisons may mix up.
import { assert, assertEquals } from "@std/assert";
import { merge } from "../../supabase/functions/save-artifact/merge.ts";
import { randomizer, text } from "./merges.ts";

const RUNS = 3_000;

const block = (random: (below: number) => number, name: string) =>
  Array.from({ length: 2 + random(6) }, (_, index) => `${name}${index}`);

Deno.test("save_artifact merge: a deletion in one of two blocks that the other swapped is kept, or refused", () => {
  const random = randomizer(21);
  let [clean, refused] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const [q, p] = [block(random, "q"), block(random, "p")];
    const deleted = (random(2) ? q : p).filter(() => random(2));
    const left = (lines: string[]) => lines.filter((line) => !deleted.includes(line));
    // Beside what was swapped both change something of their own, so that nothing is settled by one side's text alone.
    const tail = ["m1", "m2", "t1", "t2", "m3"];
    const [mineTail, theirTail] = [tail.with(2, "T1"), tail.with(3, "T2")];
    const { merged } = merge(
      text(["h", ...left(q), ...left(p), ...mineTail]),
      text(["h", ...q, ...p, ...tail]),
      text(["h", ...p, ...q, ...theirTail]),
    );
    const both = text(["h", ...left(p), ...left(q), ...mineTail.with(3, "T2")]);
    const told = JSON.stringify({ q, p, deleted });
    if (merged === null) refused++;
    else {
      clean++;
      assertEquals(merged, both, told);
    }
  }
  // Many are refused: the block that was moved, by the fewest lines, is the one in which lines were deleted.
  assert(clean > RUNS / 3, `${clean} were clean, ${refused} refused`);
});

Deno.test("save_artifact merge: a few lines moved and others deleted elsewhere, with no line twice, are both kept", () => {
  const random = randomizer(22);
  let runs = 0;
  while (runs < RUNS) {
    const base = Array.from({ length: 10 + random(30) }, (_, index) => `line ${index}`);
    const [size, from, to] = [1 + random(3), random(base.length - 3), random(base.length)];
    const [gone, at] = [1 + random(6), random(base.length - 6)];
    // Fewer lines were moved than they were moved past, and between the places of both changes a line is untouched.
    const distance = to < from ? from - to : to - from - size;
    const isApart = (place: number, end: number) => end < at || place > at + gone;
    if (distance <= size || !isApart(from, from + size) || !isApart(to, to)) continue;
    runs++;
    const cut = base.slice(from, from + size);
    const move = (lines: string[], before: string | undefined) => {
      const rest = lines.filter((line) => !cut.includes(line));
      const place = before === undefined ? rest.length : rest.indexOf(before);
      return [...rest.slice(0, place), ...cut, ...rest.slice(place)];
    };
    const mine = base.filter((_, index) => index < at || index >= at + gone);
    const [theirs, both] = [base, mine].map((lines) => text(move(lines, base[to])));
    assertEquals(merge(text(mine), text(base), theirs ?? "").merged, both, JSON.stringify({ base, mine, theirs }));
  }
});

Deno.test("save_artifact merge: a line that was deleted from a block which the other side moved does not come back, though it stands elsewhere too", () => {
  const rest = ["first {", "open", "log", "one", "}", "", "second {", "two", "}", ""];
  const moved = ["cleanUp {", "close", "log", "forget", "}", ""];
  const base = text([...rest, ...moved, "end"]);
  const mover = text([...moved, ...rest, "end"]);
  const deleter = text([...rest, ...moved.toSpliced(2, 1), "end"]);
  const both = text([...moved.toSpliced(2, 1), ...rest, "end"]);
  for (const [mine, theirs] of [[mover, deleter], [deleter, mover]] as const) {
    const { merged } = merge(mine, base, theirs);
    assert(merged === null || merged === both, String(merged));
  }
});
