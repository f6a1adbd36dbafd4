// What a test does to an execution behind the clients' backs.
import { connect } from "../../local/platform.ts";
import { stack } from "../support/stack.ts";

async function run(statement: string, value: string): Promise<void> {
  const sql = connect(stack.databaseUrl);
  try {
    await sql.unsafe(statement, [value]);
  } finally {
    await sql.end();
  }
}

/** Ends an execution as a member would who cancels it. */
export const cancelExecution = (id: string) => run("select private.end_execution($1, 'cancelled', null)", id);

/** Makes the lease of a task run out. */
export const expireLease = (taskId: string) =>
  run("update public.agent_tasks set lease_expires_at = now() - interval '1 second' where id = $1", taskId);
