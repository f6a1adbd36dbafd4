// graphile-worker on the single-task workload, by its own runner and pool: it takes and completes one job at a time.
import { type AddJobsJobSpec, Logger, makeWorkerUtils, runOnce, type WorkerUtils } from "graphile-worker";
import type { Contender } from "../measure.ts";

const TASK = "single";

const quiet = new Logger(() => () => {});

export function graphileWorker(url: string, clients: number, count: number): Contender {
  const options = { connectionString: url, logger: quiet, schema: "graphile_worker" };
  return {
    name: "graphile-worker",
    async prepare() {
      const utils: WorkerUtils = await makeWorkerUtils(options);
      await utils.migrate();
      await utils.addJobs(
        Array.from({ length: count }, (_, n): AddJobsJobSpec => ({ identifier: TASK, payload: { n } })),
      );
      await utils.release();
    },
    async run() {
      let done = 0;
      let first = 0;
      let last = 0;
      // From its first job to its last: opening its pool and looking for migrations is not counted.
      const task = () => {
        last = performance.now();
        if (done++ === 0) first = last;
        return Promise.resolve();
      };
      await runOnce({
        ...options,
        concurrency: clients,
        maxPoolSize: clients,
        noHandleSignals: true,
        taskList: { [TASK]: task },
      });
      if (done !== count) throw new Error(`graphile-worker did ${done} of ${count} jobs`);
      return (count - 1) / (last - first) * 1000;
    },
  };
}
