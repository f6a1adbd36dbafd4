// Forks against the reference model: of what ended and of what still runs, and forks of forks.
import fc from "fast-check";
import { fail } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject } from "../../support/factories.ts";
import { type Command, commands, type Fork, forkOf, graph, input } from "../../support/model/arbitraries.ts";
import type { State } from "../../support/model/fold.ts";
import type { Graph } from "../../support/model/graph.ts";
import { SEED } from "../../support/seed.ts";
import { Driver } from "./driver.ts";
import { explain } from "./setting.ts";

const db = await shareDatabase();
const people = await createProject(db);

const runs = Math.ceil(Number(Deno.env.get("GENESIS_RUNS") ?? 200) / 4);

/** A failing run is made smaller for so long, in milliseconds. */
const SHRINKING = 60_000;
let failedAt = Infinity;

/** What is done with an execution before it is forked. */
interface Stage {
  commands: Command[];
  isDriven: boolean;
  fork: Fork;
}

const stages: fc.Arbitrary<Stage[]> = fc.array(fc.record({ commands, isDriven: fc.boolean(), fork: forkOf }), {
  minLength: 1,
  maxLength: 3,
});

async function run(graph: Graph, input: State, stages: Stage[]): Promise<void> {
  if (Date.now() > failedAt + SHRINKING) return;
  let driver: Driver | undefined;
  try {
    driver = await Driver.start(db, people, graph, input);
    for (const { commands, isDriven, fork } of stages) {
      for (const command of commands) await driver.perform(command);
      if (isDriven) await driver.driveToTheEnd();
      const next: Driver = await driver.fork(fork);
      // Its tasks are not for the workers of the fork.
      await driver.leave();
      driver = next;
    }
    await driver.driveToTheEnd();
    await driver.checkTheEnd();
  } catch (error) {
    failedAt = Math.min(failedAt, Date.now());
    throw explain(error, graph, input, driver?.history ?? []);
  }
}

Deno.test("forks of what runs, and forks of forks, are what the model says they are", async () => {
  const result = await fc.check(fc.asyncProperty(graph, input, stages, run), { numRuns: runs, seed: SEED });
  console.log(`${result.numRuns} runs, seed ${SEED}`);
  if (!result.failed) return;
  const { message } = result.errorInstance as Error;
  fail(`GENESIS_SEED=${SEED}, after ${result.numRuns} runs and ${result.numShrinks} shrinks:\n${message}`);
});
