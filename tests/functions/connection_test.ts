// The two ways from a function to the database, its own connection and the Data API: same rights, and one for the other.
import { assert, assertEquals } from "@std/assert";
import postgres from "postgres";
import { stack } from "../support/stack.ts";
import { waitUntilBlocking } from "../support/transactions.ts";
import { sql } from "./behind.ts";
import { forge } from "./credentials.ts";
import { type FunctionProcess, platformEnvironment, startFunctionProcess } from "./function_process.ts";
import { createTeam, createWorkflow, type Project } from "./project.ts";

let team: Project;
let workflow_id: string;
let direct: FunctionProcess;
Deno.test.beforeAll(async () => {
  team = await createTeam();
  workflow_id = await createWorkflow(team);
  // Without the Data API, so that what answers came over the connection.
  direct = await startWith({ SUPABASE_URL: "http://127.0.0.1:9", SUPABASE_DB_URL: stack.databaseUrl });
});
Deno.test.afterAll(async () => {
  await direct[Symbol.asyncDispose]();
  await sql().end();
});

const startWith = async (environment: Record<string, string>) =>
  await startFunctionProcess("start-workflow", { ...await platformEnvironment(), ...environment });

async function start(process: FunctionProcess, token: string | undefined, idempotency_key?: string) {
  const credential: Record<string, string> = token ? { authorization: `Bearer ${token}` } : { apikey: stack.secretKey };
  const response = await fetch(process.url, {
    method: "POST",
    headers: { apikey: stack.publishableKey, "content-type": "application/json", ...credential },
    body: JSON.stringify({ workflow_id, idempotency_key }),
  });
  const body = await response.json();
  return { status: response.status, code: body.error?.code, startedBy: body.execution?.started_by };
}

Deno.test("connection: a person is themselves over it", async () => {
  assertEquals(await start(direct, team.editor.token), { status: 201, code: undefined, startedBy: team.editor.id });
});

Deno.test("connection: who may not, may not over it either", async () => {
  assertEquals((await start(direct, team.viewer.token)).code, "forbidden");
  assertEquals((await start(direct, team.stranger.token)).code, "workflow_not_found");
});

Deno.test("connection: the secret key makes a worker, and nobody", async () => {
  assertEquals(await start(direct, undefined), { status: 201, code: undefined, startedBy: null });
});

Deno.test("connection: a person whose token names another role is nobody, here as over the Data API", async () => {
  await using api = await startWith({ SUPABASE_DB_URL: stack.databaseUrl, DATABASE_CALLS: "api" });
  for (const role of ["service_role", "postgres", "supabase_admin", "anon"]) {
    const token = await forge(team.stranger, { role });
    assertEquals([(await start(direct, token)).status, (await start(api, token)).status], [401, 401]);
  }
});

Deno.test("connection: people and workers at once each keep their own rights", async () => {
  const callers = Array.from(
    { length: 60 },
    (_, index) => [team.editor.token, team.stranger.token, undefined][index % 3],
  );
  const answers = await Promise.all(callers.map((token) => start(direct, token)));
  for (const [index, { status, startedBy }] of answers.entries()) {
    assertEquals([status, startedBy], [[201, team.editor.id], [404, undefined], [201, null]][index % 3]);
  }
});

/** What an editor is answered while so many starts of one caller, with one key, are made to wait by somebody else's lock. */
async function whileWaiting(caller: string | undefined, count: number, atOnce: number) {
  const key = crypto.randomUUID();
  const waiting: ReturnType<typeof start>[] = [];
  // Every connection has met the statement before: only then are others lined up behind it.
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 12 }, () => start(direct, undefined, crypto.randomUUID())));
  }
  const answers = await sql().begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(private.lock_key('start:' || ${workflow_id} || ${key}))`;
    for (let one = 0; one < count; one++) waiting.push(start(direct, caller, key));
    for (let held = 0; held < atOnce;) {
      const [row] =
        await sql()`select count(*)::integer as n from pg_locks where locktype = 'advisory' and not granted`;
      held = row?.n ?? 0;
    }
    return await Promise.all(Array.from({ length: 12 }, () => start(direct, team.editor.token)));
  });
  assertEquals(new Set((await Promise.all(waiting)).map(({ status }) => status)), new Set([200, 201]));
  return new Set(answers.map(({ status }) => status));
}

Deno.test("connection: a statement that takes long holds up nobody else's while one is free", async () => {
  assertEquals(await whileWaiting(undefined, 3, 3), new Set([201]));
});

Deno.test("connection: however many of one person's statements take long, they hold up nobody else's", async () => {
  assertEquals(await whileWaiting(team.owner.token, 20, 2), new Set([201]));
});

Deno.test("connection: calls one after another share one, whose plans are at hand, however many there are", async () => {
  const name = `shared-${crypto.randomUUID()}`;
  await using process = await startWith({ SUPABASE_DB_URL: `${stack.databaseUrl}?application_name=${name}` });
  await Promise.all(Array.from({ length: 12 }, () => start(process, undefined)));
  const [{ moment } = {}] = await sql()`select clock_timestamp() as moment`;
  for (let call = 0; call < 6; call++) await start(process, team.editor.token);
  const rows = await sql()`
    select state_change > ${moment} as used from pg_stat_activity where application_name = ${name} order by used`;
  // A machine that is slow to send them makes do with fewer than there may be.
  assert(rows.length > 1, `${rows.length} connections`);
  assertEquals(rows.filter(({ used }) => used).length, 1);
});

Deno.test("connection: where none can be made the Data API answers", async () => {
  await using process = await startWith({ SUPABASE_DB_URL: "postgresql://postgres:postgres@127.0.0.1:9/postgres" });
  assertEquals((await start(process, team.editor.token)).status, 201);
});

Deno.test("connection: with DATABASE_CALLS=api it is not even tried", async () => {
  await using process = await startWith({
    SUPABASE_DB_URL: stack.databaseUrl,
    SUPABASE_URL: "http://127.0.0.1:9",
    DATABASE_CALLS: "api",
  });
  assertEquals((await start(process, team.editor.token)).code, "unavailable");
});

Deno.test("connection: one that breaks in the middle is unavailable, and the next call has another", async () => {
  const name = `breaks-${crypto.randomUUID()}`;
  await using process = await startWith({
    SUPABASE_DB_URL: `${stack.databaseUrl}?application_name=${name}`,
    SUPABASE_URL: "http://127.0.0.1:9",
  });
  const key = crypto.randomUUID();
  const broken = await sql().begin(async (tx) => {
    // Two starts with one key take turns: this one is made to wait.
    await tx`select pg_advisory_xact_lock(private.lock_key('start:' || ${workflow_id} || ${key}))`;
    const pending = start(process, team.editor.token, key);
    for (let stopped = 0; stopped === 0;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const rows = await sql()`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = ${name} and wait_event_type = 'Lock'`;
      stopped = rows.length;
    }
    return await pending;
  });
  assertEquals(broken.code, "unavailable");
  assertEquals((await start(process, team.editor.token, key)).status, 201);
});

Deno.test("connection: a call that was ended to resolve a deadlock is made once more", async () => {
  const key = crypto.randomUUID();
  const admin = postgres(stack.adminDatabaseUrl, { max: 2, onnotice: () => {} });
  const started = await admin.begin(async (tx) => {
    // So that it is the start which finds out that neither gets on, and is ended.
    await tx`set local deadlock_timeout = '1min'`;
    await tx`select from public.projects where id = ${team.id} for update`;
    const [holder] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`;
    const pending = start(direct, team.editor.token, key);
    await waitUntilBlocking(admin, holder!);
    await tx`select pg_advisory_xact_lock(private.lock_key('start:' || ${workflow_id} || ${key}))`;
    return { pending };
  });
  assertEquals((await started.pending).status, 201);
  await admin.end();
});

Deno.test("connection: one that ended while nobody used it is opened again", async () => {
  const name = `ended-${crypto.randomUUID()}`;
  await using process = await startWith({
    SUPABASE_DB_URL: `${stack.databaseUrl}?application_name=${name}`,
    SUPABASE_URL: "http://127.0.0.1:9",
  });
  await start(process, team.editor.token);
  await sql()`select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = ${name}`;
  // What had come to the process before these has been seen when they are answered.
  for (let turn = 0; turn < 5; turn++) await (await fetch(`${process.url}/health`)).body?.cancel();
  assertEquals((await start(process, team.editor.token)).status, 201);
});

/** The database's own words, until `endNext()`: the next statement is then ended when its row has been sent. */
function startProxy(): { url: string; endNext(): void } & AsyncDisposable {
  const { hostname, port } = new URL(stack.databaseUrl);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const connections: Deno.TcpConn[] = [];
  let isDue = false;
  const fields = ["SERROR", "VERROR", "C57014", "Mcanceling statement due to statement timeout", ""].join("\0") + "\0";
  const text = new TextEncoder().encode(fields);
  const cancelled = new Uint8Array([69, 0, 0, 0, text.length + 4, ...text]); // "E" and its length.

  async function answer(client: Deno.TcpConn): Promise<void> {
    const server = await Deno.connect({ hostname, port: Number(port) });
    connections.push(client, server);
    client.readable.pipeTo(server.writable).catch(() => {});
    const writer = client.writable.getWriter();
    let rest = new Uint8Array();
    for await (const chunk of server.readable) {
      rest = new Uint8Array([...rest, ...chunk]);
      for (let size = 0; rest.length > 4; rest = rest.slice(size)) {
        size = new DataView(rest.buffer).getUint32(1) + 1;
        if (rest.length < size) break;
        // "C": the command is complete.
        const isEnded = isDue && rest[0] === 67;
        if (isEnded) isDue = false;
        await writer.write(isEnded ? cancelled : rest.slice(0, size));
      }
    }
  }
  void (async () => {
    for await (const client of listener) answer(client).catch(() => {});
  })().catch(() => {});
  const url = new URL(stack.databaseUrl);
  url.port = String(listener.addr.port);
  return {
    url: url.href,
    endNext: () => void (isDue = true),
    [Symbol.asyncDispose]() {
      listener.close();
      for (const connection of connections) {
        try {
          connection.close();
        } catch { /* It has ended. */ }
      }
      return Promise.resolve();
    },
  };
}

Deno.test("connection: after a statement that was ended when its row was on the way the next one is answered", async () => {
  await using proxy = startProxy();
  await using process = await startWith({ SUPABASE_DB_URL: proxy.url, SUPABASE_URL: "http://127.0.0.1:9" });
  const statuses = [(await start(process, team.editor.token)).status];
  proxy.endNext();
  for (let call = 0; call < 3; call++) statuses.push((await start(process, team.editor.token)).status);
  assertEquals(statuses, [201, 503, 201, 201]);
});
