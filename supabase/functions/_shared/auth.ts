// Who may call: a route states whose credential it takes, and the official adapter checks it against the keys.
import { withSupabase } from "@supabase/server/adapters/hono";
import type { SupabaseContext } from "@supabase/server";
import type { Context, MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import type { Operation } from "../../../shared/contract/operation.ts";
import type { Database } from "../../../shared/database.types.ts";
import { OperationError } from "./errors.ts";
import { Remembered } from "./remembered.ts";

/** What a request carries through the router. */
export interface Env {
  Bindings: { requestId: string };
  Variables: { supabaseContext: SupabaseContext<Database> };
}
export type AppContext = Context<Env>;

/** `secret:*`: any of the project's secret keys, so that each kind of worker can have one of its own. */
const MODES = { user: "user", secret: "secret:*" } as const;

/** What a request is told that came without a credential the operation takes. */
const WANTED = {
  either: "Send a valid user token as Authorization: Bearer, or a secret key as apikey.",
  person: "Only a person can do this: send a valid user token as Authorization: Bearer.",
};

/** How long a checked credential is taken without checking again, in milliseconds; a token's own end comes first. */
const REMEMBERED_MS = 60_000;

/** Checked credentials, by the very headers they came in: making two clients costs more than the rest of a request. */
const remembered = new Remembered<Env["Variables"]["supabaseContext"]>();

function remember(credentials: string, supabaseContext: Env["Variables"]["supabaseContext"]): void {
  const tokenEnd = supabaseContext.jwtClaims?.exp;
  const until = Math.min(Date.now() + REMEMBERED_MS, typeof tokenEnd === "number" ? tokenEnd * 1000 : Infinity);
  remembered.set(credentials, supabaseContext, until);
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * A token is a person's, with a person's role; one that was signed for something else is nobody's here. The Data API
 * would take any role at its word.
 */
function requirePerson({ authMode, jwtClaims }: SupabaseContext<Database>): void {
  if (authMode !== "user") return;
  if (!UUID.test(jwtClaims?.sub ?? "") || jwtClaims?.role !== "authenticated") throw new HTTPException(401);
}

/** Were the keys asked of Auth, as with SUPABASE_JWKS_URL, and did it not give them? */
const areKeysMissing = ({ cause }: HTTPException) =>
  cause instanceof Error && "code" in cause && cause.code === "JWKS_FETCH_FAILED";

/**
 * Lets a request through when it carries a credential that the operation takes; 401 `unauthorized` otherwise. Whoever
 * calls an operation that asks for none stays without rights: its handler decides by something else, as by a token.
 */
export function authenticate(callers: Operation["callers"]): MiddlewareHandler<Env> {
  const [first, ...rest] = callers.map((caller) => MODES[caller]);
  if (!first) return (_, next) => next();
  const check = withSupabase<Database>({ auth: [first, ...rest], audience: "authenticated" });
  return async (context, next) => {
    const { req } = context;
    const credentials = JSON.stringify([callers, req.header("apikey"), req.header("authorization")]);
    const known = remembered.get(credentials);
    // The adapter leaves a context alone that is already there.
    if (known) context.set("supabaseContext", known);
    try {
      // It is typed for an app that keeps nothing else in its context.
      return await check(context as unknown as Parameters<typeof check>[0], async () => {
        requirePerson(context.var.supabaseContext);
        if (!known) remember(credentials, context.var.supabaseContext);
        await next();
      });
    } catch (error) {
      if (!(error instanceof HTTPException)) throw error;
      if (areKeysMissing(error)) {
        throw new OperationError("unavailable", "The keys of tokens did not come; try again.", {}, { cause: error });
      }
      if (error.status >= 500) throw error;
      throw new OperationError("unauthorized", WANTED[callers.includes("secret") ? "either" : "person"], {}, {
        cause: error,
      });
    }
  };
}

/**
 * Throws `unauthorized` where the token has ended since the request began: a body may take as long to come as its sender
 * likes, and who was signed out, or banned, must not go on with requests that were opened before.
 */
export function requireUnexpired(context: AppContext): void {
  const { exp } = context.var.supabaseContext.jwtClaims ?? {};
  if (typeof exp === "number" && exp * 1000 <= Date.now()) {
    throw new OperationError("unauthorized", "The token ended before the body had come.");
  }
}

/** The client that speaks as the caller: as the person under RLS, or as the worker whose secret key came along. */
export function callerClient(context: AppContext) {
  const { authMode, supabase, supabaseAdmin } = context.var.supabaseContext;
  return authMode === "secret" ? supabaseAdmin : supabase;
}

/** The person who calls; null for a worker. */
export function callerId(context: AppContext): string | null {
  const { authMode, jwtClaims } = context.var.supabaseContext;
  return authMode === "secret" ? null : jwtClaims?.sub ?? null;
}

/** Whose places and answers it counts to: a person's, and nobody's for a worker, or before it is known who calls. */
export function holderOf(context: AppContext): string | undefined {
  return context.var.supabaseContext ? callerId(context) ?? undefined : undefined;
}
