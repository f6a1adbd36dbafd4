// POST /batch: reports up to a hundred tasks in one commit, each for itself. What the contract refuses alone, it refuses
// here too: the database gets null in its place, and its refusal of that gives way to the one that names the fields.
import { completeTasks, report, reports } from "../../../shared/contract/complete-task.ts";
import { parseInput } from "../_shared/body.ts";
import { callDoor } from "../_shared/database.ts";
import { OperationError } from "../_shared/errors.ts";
import { route } from "../_shared/route.ts";

export const completeBatch = route(completeTasks, async ({ results }, context) => {
  const refused = new Map<number, OperationError>();
  const sent = results.map((given, place) => {
    try {
      return parseInput(report(), given);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      refused.set(place, error);
      return null;
    }
  });
  const body = await callDoor(context, "complete_tasks", { results: sent }) as { results: unknown[] };
  for (const [place, { code, message, details }] of refused) {
    body.results[place] = { ok: false, error: { code, message, details } };
  }
  return { body };
}, (value) => parseInput(reports(), value, "results"));
