// Workers that are killed in the middle of their work: their tasks are done by others, and nothing is done twice.
import { assert } from "@std/assert";
import { shareDatabase, type TestDatabase } from "../../support/database.ts";
import { executionRow } from "../../support/factories.ts";
import { assertWhole, startLayers } from "./graphs.ts";

const db = await shareDatabase();

/** One worker process after another; each is killed a random while after it was first given work. */
async function killWorkers(db: TestDatabase, execution_id: string): Promise<number> {
  let killed = 0;
  while ((await executionRow(db, execution_id)).status === "running") {
    const worker = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        "--quiet",
        new URL("worker_process.ts", import.meta.url).href,
        db.url,
        execution_id,
      ],
      stdin: "null",
      stdout: "piped",
    }).spawn();
    for await (const line of worker.stdout.pipeThrough(new TextDecoderStream())) {
      if (Number(line.split("\n").find((count) => Number(count) > 0) ?? 0) === 0) continue;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 400));
      try {
        worker.kill("SIGKILL");
        killed += 1;
      } catch {
        // Its work was done before.
      }
      break;
    }
    await worker.status;
  }
  return killed;
}

Deno.test("an execution whose workers are killed at random moments is done whole, and every task once", async () => {
  const execution_id = await startLayers(db, 6, 40);
  const killed = await Promise.all([1, 2, 3].map(() => killWorkers(db, execution_id)));
  await assertWhole(db, execution_id, 240);
  const [row] = await db.sql`
    select count(*)::int as n from public.agent_tasks where workflow_execution_id = ${execution_id} and attempt > 1`;
  assert(row?.n > 0, `${killed} workers were killed, but none while it held a task`);
});
