// A worker as a process of its own, to be killed: says on a line each time how many tasks it has claimed.
import { workOn } from "../../support/worker.ts";

const [url = "", execution_id = ""] = Deno.args;
await workOn(url, {
  execution_id,
  worker_id: `process ${Deno.pid}`,
  lease_seconds: 1,
  work: () => Math.random() * 20,
  onClaim: (count) => console.log(count),
});
