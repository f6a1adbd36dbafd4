// The plans of the usual reads, as people run them: a change of policy or index shows here before anybody waits for it.
// `UPDATE_PLANS=1 deno task test tests/database/plans` writes the files anew, to be read before they are committed.
import { assertEquals } from "@std/assert";
import { READS } from "../../bench/reads/reads.ts";
import { buildWorld } from "../../bench/reads/world.ts";
import { genericPlan } from "./explain.ts";

const world = await buildWorld({ projects: 400, perProject: 40, messages: 40 });
Deno.test.afterAll(async () => await world[Symbol.asyncDispose]());

for (const read of READS) {
  Deno.test(`the plan of reading ${read.name} is the one on record`, async () => {
    const file = new URL(`${read.name.replaceAll(" ", "_")}.txt`, import.meta.url);
    const plan = await genericPlan(world.db, world.reader.id, read.person, read.parameter(world.reader));
    if (Deno.env.has("UPDATE_PLANS")) await Deno.writeTextFile(file, plan);
    assertEquals(plan, await Deno.readTextFile(file));
  });
}
