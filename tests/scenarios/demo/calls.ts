// How the demo talks to the edge functions: supabase-js, with answers parsed by the contract and refusals as sentences.
import {
  createClient,
  FunctionsFetchError,
  FunctionsHttpError,
  FunctionsRelayError,
  type SupabaseClient,
} from "@supabase/supabase-js";
import { z } from "zod";
import type { Operation } from "../../../shared/contract/operation.ts";
import type { Database } from "../../../shared/database.types.ts";

export type Client = SupabaseClient<Database>;

/** No answer of the demo takes long: a stack that hangs is told apart from one that works. */
const PATIENCE_MS = 60_000;

/** A client that keeps nothing on disk and no timer: its life is one run. */
export function connect(url: string, key: string): Client {
  return createClient<Database>(url, key, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: {
      fetch: (input, init) => fetch(input, { ...init, signal: init?.signal ?? AbortSignal.timeout(PATIENCE_MS) }),
    },
  });
}

/** A function's refusal, with its code of the closed list. */
export class Refusal extends Error {
  override name = "Refusal";
  constructor(readonly code: string, readonly status: number, message: string) {
    super(message);
  }
}

const Envelope = z.object({ error: z.object({ code: z.string(), message: z.string(), request_id: z.string() }) });

async function refusalOf(route: string, response: Response): Promise<Refusal> {
  const text = await response.text();
  const body = Envelope.safeParse((() => {
    try {
      return JSON.parse(text);
    } catch {
      return undefined;
    }
  })());
  if (!body.success) return new Refusal("unknown", response.status, `${route} answered ${response.status}: ${text}`);
  const { code, message, request_id } = body.data.error;
  return new Refusal(
    code,
    response.status,
    `${route} answered ${response.status} ${code}: ${message} (request ${request_id})`,
  );
}

/** Calls one operation of a function. Throws Refusal when the function says no, Error when nobody answers. */
export async function call<Input extends z.ZodType, Output extends z.ZodType>(
  client: Client,
  slug: string,
  operation: Operation<Input, Output>,
  body: z.input<Input> | FormData,
  headers: Record<string, string> = {},
): Promise<z.output<Output>> {
  const route = operation.path === "/" ? slug : `${slug}${operation.path}`;
  const { data, error } = await client.functions.invoke<unknown>(route, {
    method: operation.method,
    body: body as FormData | Record<string, unknown>,
    headers,
  });
  if (error instanceof FunctionsHttpError || error instanceof FunctionsRelayError) {
    throw await refusalOf(route, error.context as Response);
  }
  if (error instanceof FunctionsFetchError) throw new Error(`${route} cannot be reached: ${String(error.context)}`);
  if (error) throw error;
  return operation.output.parse(data);
}

/** The rows or the row of a Data API answer. Throws what the Data API said instead. */
export function take<T>(what: string, answer: { data: T; error: { message: string; code?: string } | null }) {
  if (answer.error) {
    throw new Error(`Cannot ${what}: ${answer.error.message} (${answer.error.code ?? "no code"}).`);
  }
  if (answer.data === null) throw new Error(`Cannot ${what}: the answer is empty.`);
  return answer.data;
}
