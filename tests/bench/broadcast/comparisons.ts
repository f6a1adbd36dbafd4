// What being told live costs: the same work in two clones of one database, in one of which the triggers that broadcast are
// switched off.
import { openPlace, type Place } from "../engine/place.ts";
import { type Door, drain, HABITS } from "../engine/door.ts";
import { chain, fanOut, single, type Workload } from "../engine/graphs.ts";
import { openSqlDoor } from "../engine/sql_door.ts";
import { type Comparison, type Contender, rate } from "../measure.ts";
import { cloneDatabase } from "../../support/database.ts";

const [TOLD, SILENT] = ["with broadcasts", "without"];

async function openSide(isTold: boolean) {
  const database = await cloneDatabase();
  const place = await openPlace(database.url);
  if (!isTold) {
    await place.sql`
      do $$
      declare
        v_trigger record;
      begin
        for v_trigger in
          select tgrelid::regclass as place, tgname as name from pg_trigger where not tgisinternal and tgname like '%broadcast%'
        loop
          execute format('alter table %s disable trigger %I', v_trigger.place, v_trigger.name);
        end loop;
      end
      $$`;
  }
  return {
    place,
    async [Symbol.asyncDispose]() {
      await place[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

function contender(name: string, place: Place, workload: Workload, habit: (typeof HABITS)[number]): Contender {
  let door: Door | undefined;
  return {
    name,
    async prepare() {
      door ??= await openSqlDoor(place.url, 1);
      const workflow = await place.workflowOf(workload);
      for (let n = 0; n < workload.executions; n++) await door.start(workflow, workload.input);
    },
    async run() {
      if (!door) throw new Error("The workload was not prepared");
      const opened = door;
      return await rate(workload.tasks, () => drain(opened, 1, workload.tasks, habit));
    },
    close: async () => await door?.[Symbol.asyncDispose](),
  };
}

export async function broadcastComparisons(quick: boolean) {
  const [told, silent] = [await openSide(true), await openSide(false)];
  const workloads = quick ? [single(5)] : [single(500), chain(20, 25), fanOut(100, 5)];
  const comparisons = workloads.flatMap((workload) =>
    HABITS.slice(1).map((habit): Comparison => ({
      set: "broadcast",
      workload: `${workload.name}, ${habit.name}`,
      clients: 1,
      unit: "per second",
      baseline: SILENT,
      contenders: [
        contender(SILENT, silent.place, workload, habit),
        contender(TOLD, told.place, workload, habit),
      ],
    }))
  );
  return {
    comparisons,
    async [Symbol.asyncDispose]() {
      await told[Symbol.asyncDispose]();
      await silent[Symbol.asyncDispose]();
    },
  };
}
