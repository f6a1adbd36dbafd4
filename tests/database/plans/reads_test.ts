// The plans of the usual reads, as people run them: a change of policy or index shows here before anybody waits for it.
// `UPDATE_PLANS=1 deno task test tests/database/plans` writes the files anew, to be read before they are committed.
import { assert, assertEquals } from "@std/assert";
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

Deno.test("the last page of a long chat is read from its end, not sorted out of all of it", async () => {
  const { db, reader: { id, session_id } } = world;
  await db.sql`
    insert into public.chat_messages (session_id, role, content, created_at)
    select ${session_id}, 'user', 'hello', now() + g * interval '1 second' from generate_series(1, 1500) as g`;
  await db.sql`vacuum analyze public.chat_messages`;
  const plan = await db.as({ user: id }, (tx) =>
    tx.unsafe(`
      explain (costs off) select m.* from public.chat_messages as m where m.session_id = '${session_id}'
      order by m.created_at desc, m.id desc limit 50`));
  const lines = plan.map((row) => row["QUERY PLAN"]).join("\n");
  assert(lines.includes("Index Scan Backward using idx_chat_messages_session_id"), lines);
});
