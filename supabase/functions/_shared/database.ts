// The one SQL call of a request: a public door of the database, called as the caller. It goes over a connection of the
// function's own, or through the Data API with the credential that the caller sent; the rights are the same, and a
// function adds nothing to them.
import type { DatabaseError } from "../../../shared/database_errors.ts";
import type { Database } from "../../../shared/database.types.ts";
import type { AppContext } from "./auth.ts";
import { callAs, type Caller, isConnectable, isRefusal, NoConnection } from "./connection.ts";
import { env } from "./env.ts";
import { fromDatabase, OperationError } from "./errors.ts";
import { createTurns } from "./turns.ts";

type Doors = Database["public"]["Functions"];

/** Who opens links and shares has no account: all of them share their turns. */
const VISITORS = "visitors";

/** The Data API has its own connections; but what one person asks must not be answered faster than it is read. */
const inApiTurn = createTurns(16, true);

const SERVICE = { role: "service_role", claims: { role: "service_role" } } as const;

/** Only the secret key makes a worker. */
function callerOf({ authMode, jwtClaims }: AppContext["var"]["supabaseContext"]): Caller {
  return authMode === "secret" ? SERVICE : { role: "authenticated", claims: { ...jwtClaims }, holder: jwtClaims?.sub };
}

// Plain fetch, as supabase-js looks for a session of its own before each call: that costs as much as everything else
// a function does around its call.
function headersOf({ req, var: { supabaseContext } }: AppContext): Record<string, string> {
  const type = { "content-type": "application/json" };
  return supabaseContext.authMode === "secret"
    ? { ...type, apikey: req.header("apikey") ?? "" }
    : { ...type, apikey: env.publishableKey, authorization: req.header("authorization") ?? "" };
}

/**
 * Calls a door with the caller's rights and gives back its jsonb as it came.
 * Throws an OperationError with the code of a refusal, `unavailable` where the database did not answer.
 */
export async function callDoor<Name extends keyof Doors & string>(
  context: AppContext,
  name: Name,
  args: Doors[Name]["Args"],
): Promise<unknown> {
  return await call(name, args, callerOf(context.var.supabaseContext), () => headersOf(context));
}

/**
 * The same with the service's own rights: for what it found out itself (what a file's bytes are), and for callers whose
 * right is a token and no account. The door decides what that may change. It waits in the turn of that person, else of all
 * visitors.
 */
export async function callDoorAsService<Name extends keyof Doors & string>(
  name: Name,
  args: Doors[Name]["Args"],
  person?: string | null,
): Promise<unknown> {
  return await call(
    name,
    args,
    { ...SERVICE, holder: person ?? VISITORS },
    () => ({ "content-type": "application/json", apikey: env.secretKey }),
  );
}

const unavailable = (cause: unknown) =>
  new OperationError("unavailable", "The database did not answer; try again.", {}, { cause });

const isDeadlock = (error: unknown) =>
  error instanceof OperationError && (error.cause as { code?: unknown } | undefined)?.code === "40P01";

/** A call is one transaction: what ended it to resolve a deadlock left nothing of it, and whom it met goes on first. */
async function call(...request: Parameters<typeof callOnce>): Promise<unknown> {
  try {
    return await callOnce(...request);
  } catch (error) {
    if (!isDeadlock(error)) throw error;
    return await callOnce(...request);
  }
}

async function callOnce(
  name: string,
  args: Record<string, unknown>,
  caller: Caller,
  headers: () => Record<string, string>,
): Promise<unknown> {
  const byApi = () => inApiTurn(caller.holder, () => callByApi(name, args, headers()));
  if (!isConnectable()) return await byApi();
  try {
    return await callAs(caller, name, args);
  } catch (error) {
    if (error instanceof NoConnection) return await byApi();
    throw isRefusal(error)
      ? fromDatabase({ ...error, message: error.message, details: error.detail })
      : unavailable(error);
  }
}

/** From 520 on it is the platform's own front that did not reach the rest, and says so in a page. */
const isUnavailable = (status: number) => status === 502 || status === 503 || status === 504 || status >= 520;

/** Why a query of supabase-js failed, whose status is 0 where nobody answered. */
export const queryFailure = (status: number, error: DatabaseError): Error =>
  status === 0 || isUnavailable(status) ? unavailable(error) : fromDatabase(error);

async function callByApi(name: string, args: unknown, headers: Record<string, string>): Promise<unknown> {
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
