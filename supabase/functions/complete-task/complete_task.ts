// POST /: reports a task. The database does it in one commit, and answers the same report twice alike.
import { completeTask } from "../../../shared/contract/complete-task.ts";
import { MEBIBYTE } from "../../../shared/contract/values.ts";
import { callDoor } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { route } from "../_shared/route.ts";

export const complete = route(completeTask, async (input, context) => {
  // The database has the same limit; asking it with an output of many times that would keep it busy for seconds.
  if (JSON.stringify(input.output_data ?? null).length > MEBIBYTE) {
    throw new OperationError("payload_too_large", "output_data may have at most 1 MiB.");
  }
  return { body: await callDoor(context, "complete_task", input) };
});
