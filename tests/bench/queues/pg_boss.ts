// pg-boss on the single-task workload: fetch one, complete one, through its own API on the bench's connections.
import { PgBoss } from "pg-boss";
import type postgres from "postgres";
import { type Clients, openClients } from "../clients.ts";
import { type Contender, rate } from "../measure.ts";
import { OUTPUT } from "../engine/door.ts";

const QUEUE = "single";

const over = (sql: postgres.Sql) => ({
  async executeSql(text: string, values: unknown[] = []) {
    // Of several statements it wants the rows of all.
    return { rows: (await sql.unsafe(text, values as never[], { prepare: values.length > 0 })).flat() };
  },
});

async function startBoss(sql: postgres.Sql): Promise<PgBoss> {
  // Its housekeeping is switched off, so that only fetching and completing are measured.
  const boss = new PgBoss({ db: over(sql), supervise: false, schedule: false });
  boss.on("error", (error) => console.error(error));
  await boss.start();
  return boss;
}

export function pgBoss(url: string, clients: number, count: number): Contender {
  let opened: Clients | undefined;
  const bosses: PgBoss[] = [];
  return {
    name: "pg-boss",
    async prepare() {
      if (!opened) {
        opened = await openClients(url, clients);
        for (const sql of opened.all) bosses.push(await startBoss(sql));
      }
      await bosses[0]?.createQueue(QUEUE);
      await bosses[0]?.insert(QUEUE, Array.from({ length: count }, (_, n) => ({ data: { n } })));
    },
    async run() {
      let done = 0;
      return await rate(count, () =>
        Promise.all(bosses.map(async (boss) => {
          while (done < count) {
            const jobs = await boss.fetch(QUEUE, { batchSize: 1 });
            for (const job of jobs) await boss.complete(QUEUE, job.id, OUTPUT);
            if (jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
            done += jobs.length;
          }
        })));
    },
    async close() {
      for (const boss of bosses) await boss.stop({ graceful: false });
      await opened?.[Symbol.asyncDispose]();
    },
  };
}
