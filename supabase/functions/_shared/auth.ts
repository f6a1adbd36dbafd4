// Who may call: a route states whose credential it takes, and the official adapter checks it against the keys.
import { withSupabase } from "@supabase/server/adapters/hono";
import type { SupabaseContext } from "@supabase/server";
import type { Context, MiddlewareHandler } from "hono";
import type { Operation } from "../../../shared/contract/operation.ts";
import type { Database } from "../../../shared/database.types.ts";

/** What a request carries through the router. */
export interface Env {
  Bindings: { requestId: string };
  Variables: { supabaseContext: SupabaseContext<Database> };
}
export type AppContext = Context<Env>;

/** `secret:*`: any of the project's secret keys, so that each kind of worker can have one of its own. */
const MODES = { user: "user", secret: "secret:*" } as const;

/** Lets a request through when it carries a credential that the operation takes; 401 `unauthorized` otherwise. */
export function authenticate(callers: Operation["callers"]): MiddlewareHandler<Env> {
  const [first, ...rest] = callers.map((caller) => MODES[caller]);
  const check = withSupabase<Database>({
    auth: first ? [first, ...rest] : "user",
  });
  // The adapter is typed for an app that keeps nothing else in its context.
  return (context, next) => check(context as unknown as Parameters<typeof check>[0], next);
}

/** The client that speaks as the caller: as the person under RLS, or as the worker whose secret key came along. */
export function callerClient(context: AppContext) {
  const { authMode, supabase, supabaseAdmin } = context.var.supabaseContext;
  return authMode === "secret" ? supabaseAdmin : supabase;
}
