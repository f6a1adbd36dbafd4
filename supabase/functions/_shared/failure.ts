// Renders whatever went wrong: a refusal as itself, everything else as an opaque 500 whose cause is logged.
import type { Context } from "hono";
import type { ErrorBody } from "../../../shared/errors.ts";
import { OperationError } from "./errors.ts";
import { log } from "./log.ts";
import { jsonBody } from "./sending.ts";

/** The path as the log may have it: what is longer than an id may be a token. */
const loggable = (path: string) => path.replaceAll(/[^/]{37,}/g, "…");

/** The answer to a request that failed. */
export function fail(context: Context, error: unknown, requestId: string): Response {
  const refusal = asRefusal(error);
  if (refusal.status >= 500) {
    const cause = refusal.cause instanceof Error ? refusal.cause.stack : JSON.stringify(refusal.cause ?? null);
    log("error", refusal.code, { request_id: requestId, path: loggable(context.req.path), cause });
  }
  const { code, message, details, status } = refusal;
  if (typeof details.retry_after_seconds === "number") {
    context.header("retry-after", String(details.retry_after_seconds));
  }
  const body: ErrorBody = {
    error: { code, message, details, request_id: requestId },
  };
  const json = jsonBody(body, () => context.var.supabaseContext?.jwtClaims?.sub);
  return context.body(json.body, status as 400, { "content-type": "application/json", ...json.headers });
}

function asRefusal(error: unknown): OperationError {
  if (error instanceof OperationError) return error;
  return new OperationError("internal", "Something failed on our side; quote the request id.", {}, { cause: error });
}
