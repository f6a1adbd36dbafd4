// What a test does to an execution behind the clients' backs.
import { connect } from "../../local/platform.ts";
import { stack } from "../support/stack.ts";

/** Makes the lease of a task run out. */
export async function expireLease(taskId: string): Promise<void> {
  const sql = connect(stack.databaseUrl);
  await sql`update public.agent_tasks set lease_expires_at = now() - interval '1 second' where id = ${taskId} and status = 'running'`;
  await sql.end();
}
