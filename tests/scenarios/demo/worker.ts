// A worker process: `worker.ts <agent type> <execution id>`, with SUPABASE_URL and SUPABASE_SECRET_KEY in its
// environment. Claims tasks of its type, keeps their lease, saves files with the report, and ends at SIGTERM or when the
// process that started it is gone.
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "zod";
import { claimTasks, completeTask, heartbeatTask } from "../../../shared/contract/complete-task.ts";
import { type Agent, readInput } from "./agents/agent.ts";
import { agents } from "./agents/mod.ts";
import { call, type Client, connect, Refusal, take } from "./calls.ts";

const SHORTEST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 300;
const LEASE_SECONDS = 30;
/** Silence of the stack that a worker bears, in claims. */
const PATIENCE = 10;

type Task = z.infer<typeof claimTasks.output>["tasks"][number];
type Report = Pick<
  z.input<typeof completeTask.input>,
  "status" | "output_data" | "error_message" | "artifacts" | "messages"
>;

async function work(client: Client, agent: Agent, task: Task): Promise<Report> {
  const { brief, findings } = readInput(task.input_data);
  const heads = () =>
    client.from("code_artifacts").select("file_path, content, version")
      .eq("project_id", task.project_id).eq("is_active", true);
  const result = await agent({
    nodeId: task.node_id,
    brief,
    findings,
    read: async (path) => take(`read ${path}`, await heads().eq("file_path", path).single()),
    list: async () => take("list the files", await heads().order("file_path")).map((file) => file.file_path),
  });
  const found = result.findings ?? [];
  return {
    status: "completed",
    output_data: { brief, findings: found, files: result.files.map((file) => file.file_path) },
    artifacts: result.files,
    messages: result.message ? [{ session_id: brief.session_id, content: result.message }] : [],
  };
}

async function handle(client: Client, agent: Agent, task: Task): Promise<void> {
  const held = { task_id: task.id, lease_token: task.lease_token };
  const began = performance.now();
  const { cancelled } = await call(client, "complete-task", heartbeatTask, { ...held, lease_seconds: LEASE_SECONDS });
  if (cancelled) return;
  const report = await work(client, agent, task).catch((thrown): Report => ({
    status: "failed",
    error_message: thrown instanceof Error ? thrown.message : String(thrown),
  }));
  const spent = Math.round(performance.now() - began);
  await call(client, "complete-task", completeTask, { ...held, ...report, execution_time_ms: spent });
}

async function run(client: Client, agentType: string, executionId: string, stop: AbortSignal): Promise<void> {
  const agent = agents[agentType];
  if (!agent) throw new Error(`There is no agent of type ${agentType}.`);
  const request = {
    worker_id: `demo-${agentType}-${Deno.pid}`,
    agent_types: [agentType],
    lease_seconds: LEASE_SECONDS,
    execution_id: executionId,
  };
  let pause = SHORTEST_PAUSE_MS;
  let failures = 0;
  while (!stop.aborted) {
    try {
      const { tasks } = await call(client, "complete-task", claimTasks, request);
      for (const task of tasks) await handle(client, agent, task);
      pause = tasks.length > 0 ? SHORTEST_PAUSE_MS : Math.min(pause * 1.5, LONGEST_PAUSE_MS);
      failures = 0;
    } catch (thrown) {
      // A lost lease is somebody else's task by now; a refusal of anything else will not get better by asking again.
      if (thrown instanceof Refusal && thrown.code === "task_lease_lost") continue;
      if (thrown instanceof Refusal && thrown.status < 500) throw thrown;
      if (++failures >= PATIENCE) throw thrown;
      pause = LONGEST_PAUSE_MS;
    }
    await sleep(pause, undefined, { signal: stop }).catch(() => {});
  }
}

if (import.meta.main) {
  const [agentType = "", executionId = ""] = Deno.args;
  const stopping = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(name, () => stopping.abort());
  // The story holds the other end of stdin: when it is gone, however it went, the stream ends.
  Deno.stdin.readable.pipeTo(new WritableStream()).catch(() => {}).finally(() => stopping.abort());
  const client = connect(Deno.env.get("SUPABASE_URL") ?? "", Deno.env.get("SUPABASE_SECRET_KEY") ?? "");
  try {
    await run(client, agentType, executionId, stopping.signal);
  } catch (thrown) {
    console.error(thrown instanceof Error ? thrown.message : String(thrown));
    Deno.exit(1);
  }
  Deno.exit(0);
}
