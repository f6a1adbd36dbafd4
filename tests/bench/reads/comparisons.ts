// Reads as a person against the same rows as a worker, who has no policies: what row level security costs.
import postgres from "postgres";
import { type Comparison } from "../measure.ts";
import { READS } from "./reads.ts";
import { buildWorld, useCustomaryPolicies, type World } from "./world.ts";

const SIZES = {
  full: { projects: 1000, perProject: 100, messages: 50 },
  quick: { projects: 100, perProject: 5, messages: 5 },
};

const WORKER = "worker, with a filter";

/** Reads the way the Data API does: a transaction that takes the role and the claims, then asks. */
function reading(
  name: string,
  url: string,
  person: string | undefined,
  query: string,
  parameter: string,
  count: number,
) {
  const sql = postgres(url, { max: 1, prepare: true, onnotice: () => {} });
  const role = person ? "authenticated" : "service_role";
  const claims = JSON.stringify({ role, sub: person });
  const read = () =>
    sql.begin((tx) => [
      tx`select set_config('role', ${role}, true), set_config('request.jwt.claims', ${claims}, true)`,
      tx.unsafe(query, [parameter], { prepare: true }),
    ]);
  return {
    name,
    async prepare() {
      // PostgreSQL settles on a plan with the sixth run.
      for (let n = 0; n < 6; n++) await read();
    },
    /** The tenth percentile of many reads: what it takes when nobody else is at the machine just then. */
    async run() {
      const durations: number[] = [];
      for (let n = 0; n < count; n++) {
        const started = performance.now();
        await read();
        durations.push((performance.now() - started) * 1000);
      }
      return durations.sort((a, b) => a - b)[Math.floor(count / 10)] ?? NaN;
    },
    close: () => sql.end(),
  };
}

export interface ReadComparisons extends AsyncDisposable {
  comparisons: Comparison[];
}

export async function readComparisons(quick: boolean): Promise<ReadComparisons> {
  const ours = await buildWorld(quick ? SIZES.quick : SIZES.full);
  const customary = await buildWorld(quick ? SIZES.quick : SIZES.full);
  await useCustomaryPolicies(customary);

  // Short turns and many: a machine that is slower for a second is so for all of them.
  const count = quick ? 5 : 60;
  const comparisons = READS.map((read): Comparison => {
    const as = (name: string, { db, reader }: World, query: string, person?: string) =>
      reading(name, db.url, person, query, read.parameter(reader), count);
    return {
      set: "reads",
      workload: read.name,
      clients: 1,
      unit: "µs",
      baseline: WORKER,
      contenders: [
        as(WORKER, ours, read.worker),
        as("person, our policies", ours, read.person, ours.reader.id),
        as("person, customary policies", customary, read.person, customary.reader.id),
      ],
      rounds: quick ? 1 : 45,
    };
  });
  return {
    comparisons,
    async [Symbol.asyncDispose]() {
      for (const world of [ours, customary]) await world[Symbol.asyncDispose]();
    },
  };
}
