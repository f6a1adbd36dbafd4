// Starts the worker processes, tells when one of them gives up, and stops them all.
import { fileURLToPath } from "node:url";
import type { StackAccess } from "./stack.ts";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));
/** How long a worker may take to finish its task after SIGTERM, in milliseconds. */
const PATIENCE_MS = 5000;

export interface Workers {
  /** Rejects with a sentence when a worker ends before it was told to. */
  failed: Promise<never>;
  stop(): Promise<void>;
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return (await new Response(stream).text()).trim();
}

/** One process per agent type, working for one execution. */
export function startWorkers({ url, secretKey }: StackAccess, agentTypes: string[], executionId: string): Workers {
  let isStopping = false;
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => {});

  const processes = agentTypes.map((agentType) => {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--allow-all", WORKER, agentType, executionId],
      env: { SUPABASE_URL: url, SUPABASE_SECRET_KEY: secretKey },
      stdin: "piped",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const said = textOf(child.stderr);
    child.status.then(async ({ code, signal }) => {
      if (isStopping) return;
      failure.reject(
        new Error(`The ${agentType} worker ended (${signal ?? code}): ${await said || "it said nothing"}`),
      );
    });
    return child;
  });

  async function end(child: Deno.ChildProcess): Promise<void> {
    const kill = (name: Deno.Signal) => {
      try {
        child.kill(name);
      } catch {
        // It has ended already.
      }
    };
    kill("SIGTERM");
    const timer = setTimeout(() => kill("SIGKILL"), PATIENCE_MS);
    await child.status;
    clearTimeout(timer);
    await child.stdin.close().catch(() => {});
  }

  return {
    failed: failure.promise,
    async stop() {
      isStopping = true;
      await Promise.all(processes.map(end));
    },
  };
}
