// What size costs: the same task in a graph of 10 and of 10,000 nodes, and starting a graph of 1,000 nodes.
import { drain, HABITS } from "../engine/door.ts";
import { chain, wide, type Workload } from "../engine/graphs.ts";
import type { Place } from "../engine/place.ts";
import { openSqlDoor } from "../engine/sql_door.ts";
import { type Comparison, type Contender, rate } from "../measure.ts";

/** Microseconds per task, all clients together. */
function costPerTask(place: Place, name: string, workload: Workload, count: number, clients: number): Contender {
  const [habit] = HABITS;
  let door: Awaited<ReturnType<typeof openSqlDoor>> | undefined;
  return {
    name,
    async prepare() {
      door ??= await openSqlDoor(place.url, clients);
      const workflow = await place.workflowOf(workload);
      for (let n = 0; n < workload.executions; n++) await door.start(workflow, workload.input);
    },
    async run() {
      if (!door || !habit) throw new Error("The workload was not prepared");
      const opened = door;
      const perSecond = await rate(count, () => drain(opened, clients, count, habit));
      // What the figure did not need is closed, so that nobody is given it later.
      await place.sql`
        update public.workflow_executions set status = 'cancelled', completed_at = now() where status = 'running'`;
      await place.sql`
        update public.agent_tasks set status = 'cancelled', completed_at = now(), lease_expires_at = null
        where status in ('blocked', 'pending', 'running')`;
      return 1_000_000 / perSecond;
    },
    close: async () => await door?.[Symbol.asyncDispose](),
  };
}

function startRate(place: Place, name: string, workload: Workload, count: number): Contender {
  return {
    name,
    async run() {
      await using door = await openSqlDoor(place.url, 1);
      const workflow = await place.workflowOf(workload);
      const perSecond = await rate(count, async () => {
        for (let n = 0; n < count; n++) await door.start(workflow, workload.input);
      });
      await place.sql`delete from public.workflow_executions where status = 'running'`;
      return perSecond;
    },
  };
}

export function growthComparisons(place: Place, quick: boolean): Comparison[] {
  const [small, large, tasks] = quick ? [3, 20, 6] : [10, 10_000, 1000];
  const repeated = Math.ceil(tasks / small);
  const [few, many] = [`${small} nodes`, `${large} nodes`];
  const shared = { set: "growth", unit: "µs", baseline: few } as const;
  return [
    {
      ...shared,
      // One execution of a chain has one task at a time: a second client would find nothing to do in the large graph alone.
      clients: 1,
      workload: "a task of a chain",
      contenders: [
        costPerTask(place, few, chain(small, repeated), tasks, 1),
        costPerTask(place, many, chain(large, 1), tasks, 1),
      ],
    },
    {
      ...shared,
      clients: 2,
      workload: "a task of a wide graph",
      contenders: [
        costPerTask(place, few, wide(small - 1, repeated), tasks, 2),
        costPerTask(place, many, wide(large - 1, 1), tasks, 2),
      ],
    },
    {
      set: "growth",
      workload: "starting an execution",
      clients: 1,
      unit: "per second",
      baseline: few,
      contenders: [
        startRate(place, few, chain(small, 1), quick ? 2 : 200),
        startRate(place, `${quick ? large : 1000} nodes`, chain(quick ? large : 1000, 1), quick ? 2 : 20),
      ],
    },
  ];
}
