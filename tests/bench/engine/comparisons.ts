// The workflow workloads: the engine by SQL and by HTTP, in each habit of a worker, beside the bare commit.
import { bareCommit } from "../queues/bare_commit.ts";
import { graphileWorker } from "../queues/graphile_worker.ts";
import { pgBoss } from "../queues/pg_boss.ts";
import { type Comparison, type Contender, rate } from "../measure.ts";
import { type Door, drain, type Habit, HABITS } from "./door.ts";
import { chain, fanOut, mapOver, single, type Workload } from "./graphs.ts";
import { httpDoor } from "./http_door.ts";
import type { Place } from "./place.ts";
import { openSqlDoor } from "./sql_door.ts";

export const LIMIT = "bare two-statement commit";

const WORKLOADS = {
  full: [single(500), chain(20, 25), fanOut(100, 5), fanOut(1000, 1), mapOver(10_000, 1)],
  quick: [single(5), chain(3, 2), fanOut(4, 1), mapOver(5, 1)],
};

/** The engine at one workload; starting it is not part of the figure. */
function engine(
  { name, place, open }: { name: string; place: Place; open(): Promise<Door> },
  workload: Workload,
  clients: number,
  habit: Habit,
): Contender {
  let door: Door | undefined;
  return {
    name: `${name}, ${habit.name}`,
    async prepare() {
      door ??= await open();
      const workflow = await place.workflowOf(workload);
      for (let n = 0; n < workload.executions; n++) await door.start(workflow, workload.input);
    },
    async run() {
      if (!door) throw new Error("The workload was not prepared");
      const opened = door;
      return await rate(workload.tasks, () => drain(opened, clients, workload.tasks, habit));
    },
    close: async () => await door?.[Symbol.asyncDispose](),
  };
}

export interface Places {
  /** A database of the bench's own. */
  sql: Place;
  /** The database behind the stack's functions. */
  http: Place;
}

/** Answers the comparisons, and what the engine cannot do yet with the reason. */
export async function workflowComparisons(places: Places, quick: boolean) {
  const comparisons: Comparison[] = [];
  const skipped: { what: string; why: string }[] = [];
  if (!places.sql.takesBatches) {
    skipped.push({ what: "batches of ten", why: "there is no operation complete_tasks yet" });
  }
  const habits = HABITS.filter(({ report }) => report === "one by one" || places.sql.takesBatches);
  for (const workload of quick ? WORKLOADS.quick : WORKLOADS.full) {
    const obstacle = await places.sql.obstacle(workload);
    if (obstacle) {
      skipped.push({ what: workload.name, why: obstacle });
      continue;
    }
    for (const clients of quick ? [2] : [2, 8]) {
      const sql = { name: "SQL", place: places.sql, open: () => openSqlDoor(places.sql.url, clients) };
      const http = { name: "HTTP", place: places.http, open: () => Promise.resolve(httpDoor) };
      // One request per task and ten thousand tasks would say nothing that a tenth of them does not say.
      const overHttp = habits.filter(({ name }) =>
        workload.tasks < 5000 ? name !== HABITS[1]?.name : name === HABITS[2]?.name
      );
      comparisons.push({
        set: "workflows",
        workload: workload.name,
        clients,
        unit: "per second",
        baseline: LIMIT,
        contenders: [
          bareCommit(LIMIT, places.sql.url, clients, quick ? 20 : 1000),
          ...(workload.name.startsWith("single")
            ? [pgBoss(places.sql.url, clients, workload.tasks), graphileWorker(places.sql.url, clients, workload.tasks)]
            : []),
          ...habits.map((habit) => engine(sql, workload, clients, habit)),
          ...overHttp.map((habit) => engine(http, workload, clients, habit)),
        ],
      });
    }
  }
  return { comparisons, skipped };
}
