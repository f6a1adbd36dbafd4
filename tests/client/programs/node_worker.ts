// A worker as a Node program: does each task slowly, says what happens, and ends at SIGTERM. Node 20 has no WebSocket of
// its own, so the app brings one.
import { createClient } from "@supabase/supabase-js";
import WebSocket from "ws";
import { createGenesis, type Database } from "../../../shared/client/mod.ts";

const [url = "", key = "", executionId = ""] = process.argv.slice(2);
const supabase = createClient<Database>(url, key, {
  auth: { persistSession: false, autoRefreshToken: false },
  realtime: { transport: WebSocket as unknown as typeof globalThis.WebSocket },
});

async function main() {
  await createGenesis(supabase).runWorker({
    agentTypes: ["architect"],
    executionId,
    leaseSeconds: 600,
    graceSeconds: 0,
    async handle(task, { signal }) {
      console.log(`began ${task.node_id}`);
      if (task.node_id === "slow") await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return { output: { runtime: process.version } };
    },
  });
  console.log("stopped");
}

// supabase-js keeps a timer for ten seconds after its socket has closed: a worker that is done does not wait for it.
main().then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
