// The one SQL call of a request: a public door of the database, called through the Data API with the very credential
// that the caller sent. A function adds nothing to anyone's rights.
import type { DatabaseError } from "../../../shared/database_errors.ts";
import type { Database } from "../../../shared/database.types.ts";
import type { AppContext } from "./auth.ts";
import { env } from "./env.ts";
import { fromDatabase, OperationError } from "./errors.ts";

type Doors = Database["public"]["Functions"];

// Plain fetch, as supabase-js looks for a session of its own before each call: that costs as much as everything else
// a function does around its call.
function headersOf({ req, var: { supabaseContext } }: AppContext): Record<string, string> {
  const type = { "content-type": "application/json" };
  return supabaseContext.authMode === "secret"
    ? { ...type, apikey: req.header("apikey") ?? "" }
    : { ...type, apikey: env.publishableKey, authorization: req.header("authorization") ?? "" };
}

const isUnavailable = (status: number) => status === 502 || status === 503 || status === 504;

/**
 * Calls a door with the caller's rights and gives back its jsonb as it came.
 * Throws an OperationError with the code of a refusal, `unavailable` where the database did not answer.
 */
export async function callDoor<Name extends keyof Doors & string>(
  context: AppContext,
  name: Name,
  args: Doors[Name]["Args"],
): Promise<unknown> {
  return await call(name, args, headersOf(context));
}

/**
 * The same with the secret key: for what the service found out itself (what a file's bytes are), and for callers whose
 * right is a token and no account. The door decides what that may change.
 */
export async function callDoorAsService<Name extends keyof Doors & string>(
  name: Name,
  args: Doors[Name]["Args"],
): Promise<unknown> {
  return await call(name, args, { "content-type": "application/json", apikey: env.secretKey });
}

async function call(name: string, args: unknown, headers: Record<string, string>): Promise<unknown> {
  const unavailable = (cause: unknown) =>
    new OperationError("unavailable", "The database did not answer; try again.", {}, { cause });
  const request = { method: "POST", headers, body: JSON.stringify(args) };
  const response = await fetch(`${env.supabaseUrl}/rest/v1/rpc/${name}`, request).catch((cause) => {
    throw unavailable(cause);
  });
  const text = await response.text();
  if (isUnavailable(response.status)) throw unavailable(text);
  const answer = JSON.parse(text);
  if (!response.ok) throw fromDatabase(answer satisfies DatabaseError);
  return answer;
}
