// A database that cannot be asked, as somebody's connection has ended or it takes no more of them: that is no answer, for
// members as little as for changes.
import { assertEquals, assertRejects } from "@std/assert";
import { mayReceive, maySend } from "../../local/realtime/authorization.ts";
import { Changes } from "../../local/realtime/changes.ts";
import type { Channel } from "../../local/realtime/channel.ts";
import { Snapshots } from "../../local/realtime/snapshots.ts";
import { connect } from "../../local/platform.ts";
import { stack } from "../support/stack.ts";
import { eventually, inDatabase } from "./realtime_fixture.ts";

type Sql = ReturnType<typeof connect>;

/** Connections as a role that may have `limit` of them. */
async function asCrowded(test: (sql: Sql, limit: (count: number) => Promise<unknown>) => Promise<void>) {
  const role = `crowded_${crypto.randomUUID().slice(0, 8)}`;
  await inDatabase(async (admin) => {
    await admin.unsafe(`create role ${role} login password 'crowded'`);
    const url = new URL(stack.adminDatabaseUrl);
    [url.username, url.password] = [role, "crowded"];
    const sql = connect(url.href);
    const limit = async (count: number) => {
      await admin.unsafe(`alter role ${role} connection limit ${count}`);
      if (count > 0) return;
      await admin`select pg_terminate_backend(pid) from pg_stat_activity where usename = ${role}`;
      await eventually(() => admin`select from pg_stat_activity where usename = ${role}`, (all) => all.length === 0);
    };
    try {
      await test(sql, limit);
    } finally {
      await sql.end({ timeout: 1 });
      await admin.unsafe(`drop role ${role}`);
    }
  });
}

Deno.test("a database that takes no more connections has refused nobody a topic", async () => {
  await asCrowded(async (sql, limit) => {
    await limit(0);
    const question = { topic: "room", caller: { role: "anon" as const, claims: {} }, headers: {} };
    await assertRejects(() => mayReceive(sql, question), Error, "too many connections");
    await assertRejects(() => maySend(sql, question, "broadcast"), Error, "too many connections");
  });
});

Deno.test("whether a transaction can be seen is asked again where the database could not be asked", async () => {
  await asCrowded(async (sql, limit) => {
    await limit(0);
    const visible = new Snapshots(sql).visible(3)?.then(() => "visible", () => "refused");
    // In its turn behind that one, which has been refused by then.
    await assertRejects(() => sql`select 1`);
    await limit(5);
    assertEquals(await visible, "visible");
  });
});

Deno.test("who listens is told that changes were lost where they could not be read", async () => {
  await asCrowded(async (sql, limit) => {
    const lost: string[] = [];
    const changes = new Changes({ sql, limited: sql }, sql, () => {}, (reason) => lost.push(reason));
    const told: string[] = [];
    const channel = {
      token: { caller: { role: "service_role", claims: {} } },
      pushText: (event: string) => told.push(event),
    } as unknown as Channel;
    const subscription = changes.subscribe(channel, [{ event: "*", schema: "public", table: "workflows" }]);
    assertEquals(await subscription.check(), undefined);
    subscription.start();
    const [found] = await sql`select 'public.workflows'::regclass::oid::integer as oid`;
    const definition = { relationOid: found?.oid, columns: [{ name: "id", typeOid: 2950 }] };
    await limit(0);
    const row = { id: crypto.randomUUID() };
    changes.push({ definition, schema: "public", table: "workflows", type: "INSERT", committedAt: "", row });
    await eventually(() => Promise.resolve(lost), (all) => all.length > 0);
    assertEquals([lost.length, told], [1, []]);
  });
});
