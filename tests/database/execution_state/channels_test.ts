// Conditions, inputs and lists read the channels that they name, and find in them what the whole state holds.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { graph } from "../../support/factories.ts";
import { runOf, startRun } from "../../support/run.ts";

const db = await shareDatabase();

const named: [string, string[] | null][] = [
  ["$.plan.files[*]", ["plan"]],
  ["strict $.a == $.b", ["a", "b"]],
  ['$."with \\"quotes\\" and $" > 1', ['with "quotes" and $']],
  ['exists($.a ? (@.b == "$.c"))', ["a"]],
  ['$.a like_regex "^\\\\$\\\\."', ["a"]],
  ["$.größe", ["größe"]],
  ["1 == 1", []],
  ["$", null],
  ["$.*", null],
  ["$[0].a", null],
  ["$.**.a", null],
  ["$.keyvalue().key", null],
  ["$.a == $variable", null],
  [`$.${"a".repeat(501)}`, null],
];
for (const [path, channels] of named) {
  Deno.test(`${path.slice(0, 40)} reads ${channels?.join() ?? "all channels"}`, async () => {
    const [row] = await db.sql`select private.channels_of(${path}) as channels`;
    assertEquals(row?.channels, channels);
  });
}

const definition = {
  ...graph([["a", "b"], ["b", "list"], ["list", "c"]], {
    b: { input: { last: "$.last", log: "$.log", n: "$.n", all: "$.all", given: "$.given", b: "$.b", none: "$.none" } },
    list: { type: "map", over: "$.files" },
  }),
  state: { log: "append", n: "sum", all: "merge" },
};
definition.edges.push({ source: "b", target: "a", when: "$.again == true", loop: { max_iterations: 2 } } as never);

Deno.test("what a path finds in the channels that it names is what the whole state holds", async () => {
  const run = await startRun(db, definition, { files: [1], given: 1, n: 1, all: { x: 1 } });
  const same = async () => {
    const [row] = await db.sql`
      select jsonb_object_agg(c.channel, private.fold_state(${run.id}) -> c.channel) as expected,
        jsonb_object_agg(c.channel, private.read_state(${run.id}, array['$.' || c.channel]) -> c.channel) as found
      from private.named_channels as c
      join public.workflow_executions as x on x.version_id = c.version_id
      where x.id = ${run.id}`;
    assertEquals(row?.found, row?.expected);
    return row?.found;
  };
  await same();
  await run.complete("a", { last: "a", log: "a", n: 2, all: { y: 2 } });
  await same();
  await run.complete("b", { again: true });
  await run.complete("a#1", { last: null, again: false, log: ["a", "b"], n: "none", files: [1, 2] });
  await same();
  await run.complete("b#1", ["no object"]);
  const found = await same();
  assertEquals(found, {
    last: null,
    log: ["a", "a", "b"],
    n: 3,
    all: { x: 1, y: 2 },
    given: 1,
    b: ["no object"],
    none: null,
    again: false,
    files: [1, 2],
  });
});

Deno.test("a fork finds in its channels what it kept, and what was written since", async () => {
  const chain = graph([["a", "b"], ["b", "c"]], { b: { input: { x: "$.x" } }, c: { input: { x: "$.x", y: "$.y" } } });
  const run = await startRun(db, chain);
  await run.complete("a", { x: 1 });
  const { execution } = await db.rpc("worker", "fork_execution", { execution_id: run.id, from_node: "b" });
  const fork = runOf(db, run.project, execution.id);
  assertEquals((await fork.lease("b")).input_data, { x: 1 });
  await fork.complete("b", { y: 2 });
  assertEquals((await fork.lease("c")).input_data, { x: 1, y: 2 });
});
