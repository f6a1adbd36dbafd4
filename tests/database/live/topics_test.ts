// live: which topics exist, for whom, and that no text a client sends can do more than be refused.
import { assertEquals } from "@std/assert";
import { cloneDatabase, shareDatabase } from "../../support/database.ts";
import { claimNode, createProject, graph, report, startExecution } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);

const mayUse = (topic: string | null, purpose: string) =>
  db.as(project.owner.actor, async (tx) => {
    const [row] = await tx`select private.may_use_topic(${topic}, ${purpose}) as may`;
    return row?.may;
  });

Deno.test("an owner may listen and speak on the topic of their project", async () => {
  assertEquals([await mayUse(`project:${project.id}`, "receive"), await mayUse(`project:${project.id}`, "send")], [
    true,
    true,
  ]);
});

const oddities = [
  null,
  "",
  ":",
  "project",
  "project:",
  "project:1",
  `project:${project.id}:`,
  `project:${project.id}:more`,
  `project: ${project.id}`,
  `project:${project.id}\n`,
  `project:${project.id.toUpperCase()}`,
  `project:{${project.id}}`,
  `project:${project.id.replaceAll("-", "")}`,
  `Project:${project.id}`,
  `realtime:project:${project.id}`,
  `execution:${project.id}`,
  `chat:${project.id}`,
  "execution:00000000-0000-0000-0000-000000000000",
  "chat:' or true --",
  "x".repeat(10_000),
];
for (const topic of oddities) {
  Deno.test(`nobody may use the topic ${JSON.stringify(topic).slice(0, 60)}, and asking is no error`, async () => {
    assertEquals([await mayUse(topic, "receive"), await mayUse(topic, "send")], [false, false]);
  });
}

Deno.test("members of a deleted project hear nothing more of it, its owner still does", async () => {
  const other = await createProject(db);
  await db.sql`update public.projects set status = 'deleted' where id = ${other.id}`;
  const may = (actor: { user: string }) =>
    db.as(actor, async (tx) => {
      const [row] = await tx`select private.may_use_topic(${`project:${other.id}`}, 'receive') as may`;
      return row?.may;
    });
  assertEquals([await may(other.editor.actor), await may(other.owner.actor)], [false, true]);
});

Deno.test("the engine works on in a database that has no Realtime", async () => {
  await using bare = await cloneDatabase();
  await bare.sql`drop schema realtime cascade`;
  const owned = await createProject(bare);
  const { execution } = await startExecution(bare, owned, graph([["a", "b"]]));
  const answer = await bare.rpc("worker", "complete_task", report(await claimNode(bare, execution.id, "a")));
  assertEquals(answer.task.status, "completed");
});

Deno.test("a message that cannot be stored fails nothing", async () => {
  await using bare = await cloneDatabase();
  const owned = await createProject(bare);
  const { execution } = await startExecution(bare, owned, graph([["a", "b"]]));
  const a = await claimNode(bare, execution.id, "a");
  await bare.sql`alter table realtime.messages add constraint full_up check (topic <> topic) not valid`;
  assertEquals((await bare.rpc("worker", "complete_task", report(a))).task.status, "completed");
});
