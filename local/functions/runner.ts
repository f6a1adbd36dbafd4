// Keeps at most one current process per function: started by its first request, replaced when its files change or it ends.
import { type FunctionProcess, type FunctionSource, startFunction } from "./process.ts";

/** Why a function has no answer. */
export class BootError extends Error {
  override name = "BootError";
}

interface Running {
  process: Promise<FunctionProcess>;
  inFlight: number;
  retired: boolean;
}

export interface Runner {
  /** Runs `use` with the function's port; its process is kept alive until `completed` settles. */
  withFunction<T>(name: string, completed: Promise<void>, use: (port: number) => Promise<T>): Promise<T>;
  /** New requests go to a fresh process; the old one ends with its last request. */
  retire(name?: string): void;
  stop(): Promise<void>;
}

/** How long a replaced process may finish its requests, in milliseconds. */
const GRACE = 10_000;

/** How long a request that failed waits for the end of its process, in milliseconds. */
const END = 5000;

export function createRunner(
  source: (name: string) => Promise<FunctionSource>,
  log: (name: string, line: string) => void,
): Runner {
  const current = new Map<string, Running>();
  const alive = new Set<Promise<FunctionProcess>>();

  function start(name: string): Running {
    const process = source(name).then((found) => startFunction(found, (line) => log(name, line)));
    const running: Running = { process, inFlight: 0, retired: false };
    current.set(name, running);
    alive.add(process);
    const forget = () => {
      alive.delete(process);
      if (current.get(name) === running) current.delete(name);
    };
    process.then(({ ended }) => ended.then(forget), forget);
    return running;
  }

  function endIfIdle(running: Running): void {
    if (running.retired && running.inFlight === 0) running.process.then((process) => process.kill(), () => {});
  }

  return {
    async withFunction(name, completed, use) {
      const running = current.get(name) ?? start(name);
      running.inFlight++;
      completed.catch(() => {}).then(() => {
        running.inFlight--;
        endIfIdle(running);
      });
      const process = await running.process.catch((thrown: Error) => {
        throw new BootError(thrown.message, { cause: thrown });
      });
      try {
        return await use(process.port);
      } catch (thrown) {
        // Answered before the end is known, a client would send its next request to the same process.
        const patience = Promise.withResolvers<void>();
        const timer = setTimeout(patience.resolve, END);
        await Promise.race([process.ended, patience.promise]);
        clearTimeout(timer);
        throw thrown;
      }
    },
    retire(name) {
      for (const [key, running] of current) {
        if (name !== undefined && key !== name) continue;
        current.delete(key);
        running.retired = true;
        endIfIdle(running);
        const patience = setTimeout(() => running.process.then((process) => process.kill(), () => {}), GRACE);
        running.process.then(({ ended }) => ended.then(() => clearTimeout(patience)), () => clearTimeout(patience));
      }
    },
    async stop() {
      current.clear();
      await Promise.all([...alive].map((starting) =>
        starting.then(async (process) => {
          process.kill();
          await process.ended;
        }, () => {})
      ));
    },
  };
}
