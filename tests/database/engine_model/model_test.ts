// The engine against the reference model: random graphs, random workers and people, and never a difference.
//
// GENESIS_RUNS says how many runs (200, or 2,000 by `deno task test:nightly`), GENESIS_SEED repeats one from before.
import fc from "fast-check";
import { assert, fail } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject, createWorkflow } from "../../support/factories.ts";
import { type Command, commands, type Fork, fork, graph, input, interlocked } from "../../support/model/arbitraries.ts";
import type { State } from "../../support/model/fold.ts";
import { definitionOf, describe, type Graph } from "../../support/model/graph.ts";
import { SEED } from "../../support/seed.ts";
import { Driver } from "./driver.ts";
import { explain } from "./setting.ts";

const db = await shareDatabase();
const people = await createProject(db);

const runs = Number(Deno.env.get("GENESIS_RUNS") ?? 200);

/** A failing run is made smaller for so long, in milliseconds. */
const SHRINKING = 60_000;
let failedAt = Infinity;

async function run(graph: Graph, input: State, commands: Command[], fork?: Fork): Promise<void> {
  if (Date.now() > failedAt + SHRINKING) return;
  let driver: Driver | undefined;
  try {
    driver = await Driver.start(db, people, graph, input);
    for (const command of commands) await driver.perform(command);
    await driver.driveToTheEnd();
    await driver.checkTheEnd();
    if (!fork) return;
    driver = await driver.fork(fork);
    await driver.driveToTheEnd();
    await driver.checkTheEnd();
  } catch (error) {
    failedAt = Math.min(failedAt, Date.now());
    throw explain(error, graph, input, driver?.history ?? []);
  }
}

Deno.test("random graphs under random workers and people are what the model says they are", async () => {
  const property = fc.asyncProperty(graph, input, commands, fork, run);
  const result = await fc.check(property, { numRuns: runs, seed: SEED });
  console.log(`${result.numRuns} runs, seed ${SEED}`);
  if (!result.failed) return;
  const { message } = result.errorInstance as Error;
  fail(`GENESIS_SEED=${SEED}, after ${result.numRuns} runs and ${result.numShrinks} shrinks:\n${message}`);
});

Deno.test("graphs with loops that wait for each other are refused when they are published", async () => {
  const property = fc.asyncProperty(interlocked, async (graph) => {
    const plain = {
      ...graph,
      nodes: graph.nodes.map((node) => ({ ...node, type: "agent" as const, workflow: undefined })),
    };
    const workflow_id = await createWorkflow(db, people, definitionOf(plain));
    const { details } = await db.refusal(people.owner.actor, "publish_workflow", { workflow_id });
    const codes = (details.faults as { code: string }[]).map((fault) => fault.code);
    assert(codes.includes("loops_interlock"), `${describe(plain)}\nfaults: ${codes}`);
  });
  await fc.assert(property, { numRuns: 20, seed: SEED });
});
