// Calls to the edge functions as any client would make them, and what every answer must hold.
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Operation } from "../../shared/contract/operation.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { ERROR_CODES } from "../../shared/errors.ts";
import type { Person } from "./actors.ts";
import { stack } from "./stack.ts";

/** Whose credential goes along. */
export type Sender = Person | "worker" | "nobody" | { token: string };

/** The JSON of an answer; tests read it freely. */
// deno-lint-ignore no-explicit-any
export type Body = any;

export interface Reply {
  status: number;
  headers: Headers;
  body: Body;
}

function credentialsOf(sender: Sender): Record<string, string> {
  if (sender === "nobody") return {};
  if (sender === "worker") return { apikey: stack.secretKey };
  return { apikey: stack.publishableKey, authorization: `Bearer ${sender.token}` };
}

/**
 * `call(owner, "complete-task/claim", {…})`; a plain object is sent as JSON, other bodies as they are. A GET goes without
 * a body, and redirects are not followed.
 */
export async function call(
  sender: Sender,
  path: string,
  body?: unknown,
  { method = "POST", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Reply> {
  const isRaw = body === undefined || typeof body === "string" || body instanceof FormData ||
    body instanceof Uint8Array || body instanceof ReadableStream;
  const response = await fetch(`${stack.url}/functions/v1/${path}`, {
    method,
    redirect: "manual",
    body: method === "GET" ? undefined : isRaw ? body as BodyInit : JSON.stringify(body),
    headers: { ...credentialsOf(sender), ...(isRaw ? {} : { "content-type": "application/json" }), ...headers },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : undefined };
}

/** Checks that an answer has this status and exactly the contract's shape, and gives its body back. */
export function assertAnswer(reply: Reply, operation: Operation, status: number): Body {
  assertEquals(reply.status, status, `Expected ${status}: got ${reply.status} ${JSON.stringify(reply.body)}`);
  assertEquals(operation.output.parse(reply.body), reply.body);
  return reply.body;
}

/** What would tell a caller how we are made: SQL, PostgreSQL's and PostgREST's own words, stack traces, file names. */
export const INSIDES =
  /\b(select|insert into|update \w+ set|delete from|relation|constraint|column|violates|pg_\w+|PGRST\w*|private\.\w+|public\.\w+)\b|\.ts:\d|\bat \w+ \(|node_modules/i;

/** Checks that an answer is a refusal with this code, in the one shape that refusals have. */
export function assertRefused(reply: Reply, code: ErrorCode): void {
  assertEquals(reply.body?.error?.code, code, `Expected ${code}: got ${reply.status} ${JSON.stringify(reply.body)}`);
  assertEquals(reply.status, ERROR_CODES[code].status);
  assertEquals(Object.keys(reply.body.error).sort(), ["code", "details", "message", "request_id"]);
  assertEquals(reply.headers.get("x-request-id"), reply.body.error.request_id);
  assertMatch(reply.body.error.message, /^[A-Za-z].*\.$/);
  assert(!INSIDES.test(reply.body.error.message), `The message shows our insides: ${reply.body.error.message}`);
}
