// publish_workflow: what docs/workflows.md shows can be published and runs.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { startRun } from "../../support/run.ts";

const db = await shareDatabase();
const text = await Deno.readTextFile(new URL("../../../docs/workflows.md", import.meta.url));
const [, example = ""] = /```json\n(\{\n {2}"nodes"[\s\S]*?)```/.exec(text) ?? [];

Deno.test("the definition that the documentation begins with runs to its end", async () => {
  const run = await startRun(db, JSON.parse(example), { goal: "a page" });
  await run.complete("plan", { files: ["x", "y"] });
  for (const index of [0, 1]) await run.complete(`build[${index}]`, "made");
  await run.complete("test", { passed: false });
  for (const index of [0, 1]) await run.complete(`build#1[${index}]`, "mended");
  await run.complete("test#1", { passed: true });
  assertEquals((await run.decide("review", run.project.owner)).execution.status, "completed");
});
