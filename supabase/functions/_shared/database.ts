// The one SQL call of a request: a public door of the database, called by name as the caller.
import { type AppContext, callerClient } from "./auth.ts";
import { fromDatabase, OperationError } from "./errors.ts";
import type { Database } from "../../../shared/database.types.ts";

type Doors = Database["public"]["Functions"];

/**
 * Calls a door with the caller's rights and gives back its jsonb as it came.
 * Throws an OperationError with the code of a refusal, `unavailable` where the database did not answer.
 */
export async function callDoor<Name extends keyof Doors & string>(
  context: AppContext,
  name: Name,
  args: Doors[Name]["Args"],
): Promise<unknown> {
  const { data, error, status } = await callerClient(context).rpc(name, args);
  if (!error) return data;
  if (status === 0 || status === 502 || status === 503) {
    throw new OperationError("unavailable", "The database did not answer; try again.", {}, { cause: error });
  }
  throw fromDatabase(error);
}
