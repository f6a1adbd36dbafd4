// The physical limit: a transaction of two updates by primary key, as a client writes it, and nothing else.
import { type Clients, openClients, share } from "../clients.ts";
import { type Contender, rate } from "../measure.ts";

const ROWS = 1000;

export function bareCommit(name: string, url: string, clients: number, count: number): Contender {
  let opened: Clients | undefined;
  return {
    name,
    async prepare() {
      if (opened) return;
      opened = await openClients(url, clients);
      await using admin = await openClients(url, 1);
      for (const sql of admin.all) {
        await sql`create schema if not exists bench`;
        await sql`create table if not exists bench.counters (id integer primary key, n integer not null) with (fillfactor = 50)`;
        await sql`insert into bench.counters select g, 0 from generate_series(1, ${
          2 * ROWS
        }::integer) as g on conflict do nothing`;
      }
    },
    async run() {
      const all = opened?.all ?? [];
      return await rate(count, () =>
        share(all, count, (sql, n) =>
          sql.begin(async (tx) => {
            const id = 1 + n % ROWS;
            await tx`update bench.counters set n = n + 1 where id = ${id}`;
            await tx`update bench.counters set n = n + 1 where id = ${id + ROWS}`;
          })));
    },
    close: async () => await opened?.[Symbol.asyncDispose](),
  };
}
