// The connections under the local stack when the database ends them: nobody waits for ever, no place is lost, and nobody
// speaks in another's place.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openDataConnection } from "../../local/lite_connection.ts";
import { connect } from "../../local/platform.ts";
import { statusOf } from "../../local/postgrest_errors.ts";
import { PATIENCE_MS } from "../support/eventually.ts";
import { stack } from "../support/stack.ts";
import { eventually } from "./fixture.ts";
import { inDatabase } from "./realtime_fixture.ts";

const PLACES = 15;

type Driver = ReturnType<typeof openDataConnection>["driver"];

async function withDriver(url: string, test: (driver: Driver) => Promise<void>): Promise<void> {
  const { driver } = openDataConnection(url, '"public"', () => {});
  try {
    await test(driver);
  } finally {
    await driver.end({ timeout: 1 });
  }
}

/** What so many requests at once are answered; whoever has no answer after a while is not counted. */
async function answersOf(driver: Driver, statement: string, count: number): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const ask = async () => {
    const place = await driver.reserve();
    const answer = await place.unsafe(statement).then(() => "answered", () => "refused");
    place.release();
    counts[answer] = (counts[answer] ?? 0) + 1;
  };
  const all = Promise.all(
    Array.from({ length: count }, () => ask().catch(() => counts.refused = (counts.refused ?? 0) + 1)),
  );
  let patience: ReturnType<typeof setTimeout> | undefined;
  await Promise.race([all, new Promise((resolve) => patience = setTimeout(resolve, 2 * PATIENCE_MS))]);
  clearTimeout(patience);
  return counts;
}

Deno.test("connections: who waits for a place has one after the connections of all places were ended", async () => {
  const key = Math.floor(Math.random() * 2 ** 31);
  await inDatabase((admin) =>
    withDriver(stack.adminDatabaseUrl, async (driver) => {
      let answers: Promise<Record<string, number>> | undefined;
      await admin.begin(async (tx) => {
        await tx`select pg_advisory_xact_lock(${key})`;
        answers = answersOf(driver, `begin; select pg_advisory_xact_lock_shared(${key}); commit`, 2 * PLACES);
        const waiting = () =>
          tx<
            { pid: number }[]
          >`select pid from pg_locks where locktype = 'advisory' and objid = ${key} and not granted`;
        const rows = await eventually(waiting, (found) => found.length === PLACES);
        await tx`select pg_terminate_backend(pid) from unnest(${rows.map(({ pid }) => pid)}::int[]) as pid`;
      });
      assertEquals(await answers, { refused: PLACES, answered: PLACES });
    })
  );
});

Deno.test("connections: one that ends before a statement was written speaks again", async () => {
  const sql = connect(stack.adminDatabaseUrl);
  const { socket: make } = sql.options as unknown as {
    socket(target: unknown): { destroy(): void; emit(event: string): void };
  };
  let socket: ReturnType<typeof make> | undefined;
  Object.assign(sql.options, { socket: (target: unknown) => socket = make(target) });
  await sql`select 1`;
  const lost = sql`select 2`.execute();
  // It is with the connection now, which writes a turn later.
  await Promise.resolve();
  await Promise.resolve();
  socket?.destroy();
  socket?.emit("close");
  await assertRejects(() => lost);
  assertEquals([...await sql`select 3 as n`], [{ n: 3 }]);
  await sql.end();
});

Deno.test("connections: whose connection ends in a transaction says the rest of it to nobody", async () => {
  await inDatabase(async (admin) => {
    const sql = connect(stack.adminDatabaseUrl);
    let heard: string | undefined;
    let next: Promise<unknown> | undefined;
    const said = sql.begin(async (tx) => {
      const [row] = await tx`select pg_backend_pid() as pid`;
      await admin`select pg_terminate_backend(${row?.pid})`;
      // Who comes next waits for the connection, and has it where it was given away.
      next = sql`select 1`;
      next.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 500));
      heard = await tx`select 1`.then(() => "heard", () => "refused");
    });
    await assertRejects(() => said);
    assertEquals(await eventually(() => Promise.resolve(heard), (is) => is !== undefined), "refused");
    assert(await next);
    await sql.end();
  });
});

Deno.test("connections: whose connection is lost finds the database away, whichever way the socket says it", async () => {
  const statuses: number[] = [];
  const connection = openDataConnection(stack.adminDatabaseUrl, '"public"', ({ code }) => {
    statuses.push(statusOf(code, false));
  });
  for (const code of ["ECONNRESET", "EPIPE", "ERR_STREAM_WRITE_AFTER_END", "CONNECTION_CLOSED"]) {
    connection.normalizeDbError?.(Object.assign(new Error("lost"), { code }));
  }
  await connection.driver.end({ timeout: 0 });
  assertEquals(statuses, [503, 503, 503, 503]);
});
