// save_artifact merge: what holds where lines repeat, where two texts do not tell what an editor did.
import { assert, assertEquals } from "@std/assert";
import { mergeDiff3 } from "node-diff3";
import { saveArtifact } from "../../shared/contract/save-artifact.ts";
import { merge } from "../../supabase/functions/save-artifact/merge.ts";
import { assertAnswer, call } from "../support/http.ts";
import { apply, type Change, makeChanges, makeTouching, randomizer, text } from "./merges.ts";
import { createTeam } from "./project.ts";

const RUNS = 5_000;
const CODE = ["", "}", "  }", "    return;"];

const repeat = (random: (below: number) => number) => CODE[random(CODE.length)] ?? "";

/** A base like code, and changes of it by two sides whose new lines often are like others, too. */
function makeSides(random: (below: number) => number): [mine: string[], base: string[], theirs: string[]] {
  const base = Array.from({ length: random(40) }, (_, index) => random(3) ? repeat(random) : `line ${index}`);
  const changes = makeTouching(random, base.length, 8).map((change) => ({
    ...change,
    lines: change.lines.map((line) => random(2) ? repeat(random) : line),
  }));
  const [mine, theirs] = [0, 1].map((side) => apply(base, changes.filter((change) => change.side === side)));
  return [mine ?? [], base, theirs ?? []];
}

const mergeTexts = (mine: string[], base: string[], theirs: string[]) =>
  merge(text(mine), text(base), text(theirs)).merged;

const SAME: [string, string, string, string, string][] = [
  [
    "one of two equal lines deleted",
    "import\n\nn++;\nn++;\nlog\n",
    "import\n\nn++;\nlog\n",
    "i2\n\nn++;\nlog\n",
    "i2\n\nn++;\nlog\n",
  ],
  [
    "an item added like the last",
    "# t\n- x\n- x\n\nend\n",
    "# t\n- x\n- x\n- x\n\nend\n",
    "# T\n- x\n- x\n- x\n\nend\n",
    "# T\n- x\n- x\n- x\n\nend\n",
  ],
  [
    "a block deleted that stands twice",
    "h\nx\na\nb\na\nb\ny\n",
    "H\nx\na\nb\ny\n",
    "h\nx\na\nb\ny\n",
    "H\nx\na\nb\ny\n",
  ],
  [
    "a line deleted and each another changed",
    "h\nx\na\na\ny\nk\nz\n",
    "H\nx\na\ny\nk\nz\n",
    "h\nx\na\ny\nK\nz\n",
    "H\nx\na\ny\nK\nz\n",
  ],
  [
    "an empty line added",
    "h\nx\nf\n\ng\ny\nk\n",
    "H\nx\nf\n\n\ng\ny\nk\n",
    "h\nx\nf\n\n\ng\ny\nK\n",
    "H\nx\nf\n\n\ng\ny\nK\n",
  ],
];

for (const [claim, base, mine, theirs, once] of SAME) {
  Deno.test(`save_artifact merge: ${claim} by both counts once`, () => {
    assertEquals([merge(mine, base, theirs).merged, merge(theirs, base, mine).merged], [once, once]);
  });
}

Deno.test("save_artifact merge: a line of several equal ones, deleted by a request sent twice, is deleted once", async () => {
  const project = await createTeam();
  const save = async (content: string, fields: Record<string, unknown>, status: number) =>
    assertAnswer(
      await call(project.editor, "save-artifact", { project_id: project.id, file_path: "a.ts", content, ...fields }),
      saveArtifact,
      status,
    ).artifact.content;
  const base = "import a\n\nlet n = 0;\nn++;\nn++;\nlog(n);\n";
  const mine = base.replace("n++;\nn++;\n", "n++;\n");
  await save(base, {}, 201);
  await save(base.replace("import a", "import b"), { base_version: 1 }, 201);
  const merged = await save(mine, { base_version: 1, on_conflict: "merge" }, 201);
  const again = await save(mine, { base_version: 1, on_conflict: "merge" }, 200);
  assertEquals([merged, again], [mine.replace("import a", "import b"), merged]);
});

Deno.test("save_artifact merge: one line added or deleted among lines like it counts once when it is sent again", () => {
  const random = randomizer(11);
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: 20 + random(30) }, (_, at) => random(10) < 3 ? repeat(random) : `line ${at}`);
    const from = 5 + random(base.length - 6);
    const change: Change = random(2) ? { from, to: from + 1, lines: [] } : { from, to: from, lines: [repeat(random)] };
    const mine = apply(base, [change]);
    const theirs = mine.with(0, "changed by another");
    assertEquals(mergeTexts(mine, base, theirs), text(theirs), JSON.stringify({ base, change }));
  }
});

Deno.test("save_artifact merge: what was merged, sent again by either, gives the same text or is refused", () => {
  const random = randomizer(12);
  let [same, refused] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const [mine, base, theirs] = makeSides(random);
    const merged: string | null = mergeTexts(mine, base, theirs);
    if (merged === null) continue;
    for (const side of [mine, theirs]) {
      const again: string | null = merge(text(side), text(base), merged).merged;
      assert(again === null || again === merged, JSON.stringify({ mine, base, theirs, merged, again }));
      if (again === null) refused++;
      else same++;
    }
  }
  assert(same > 2 * refused, `${same} gave the same text, ${refused} were refused`);
});

Deno.test("save_artifact merge: with a line between, and no line twice, sent again it gives the same text", () => {
  const random = randomizer(13);
  for (let run = 0; run < RUNS; run++) {
    const base = Array.from({ length: 5 + random(40) }, (_, index) => `line ${index}`);
    const changes = makeChanges(random, base.length, 10);
    const mine = apply(base, changes.filter(() => random(2)));
    const both = apply(base, changes);
    assertEquals(mergeTexts(mine, base, both), text(both), JSON.stringify({ base, changes, mine }));
  }
});

Deno.test("save_artifact merge: where git's way is clean, its text is saved or none", () => {
  const random = randomizer(14);
  let [same, refused] = [0, 0];
  for (let run = 0; run < RUNS; run++) {
    const [mine, base, theirs] = makeSides(random);
    const usual = mergeDiff3(mine, base, theirs);
    if (usual.conflict) continue;
    const merged = mergeTexts(mine, base, theirs);
    assert(merged === null || merged === text(usual.result), JSON.stringify({ mine, base, theirs, merged }));
    if (merged === null) refused++;
    else same++;
  }
  assert(same > 20 * refused, `${same} were the same, ${refused} refused`);
});

Deno.test("save_artifact merge: it does not matter who was first", () => {
  const random = randomizer(15);
  for (let run = 0; run < RUNS; run++) {
    const [mine, base, theirs] = makeSides(random);
    assertEquals(
      mergeTexts(mine, base, theirs),
      mergeTexts(theirs, base, mine),
      JSON.stringify({ mine, base, theirs }),
    );
  }
  const [base, one, other] = ["\n\n}\n", "\n}\n\n}\n", "\n\n\n}\n"];
  assertEquals(merge(one, base, other).merged, merge(other, base, one).merged);
});
