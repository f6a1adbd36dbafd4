// One request to one operation: the path filled in, the body made, a refusal thrown as a GenesisError.
import type { SupabaseClient } from "@supabase/supabase-js";
import type { Database } from "../database.types.ts";
import { GenesisError, toGenesisError } from "./error.ts";
import type { Route } from "./operations.ts";
import { LONGEST_TIMER_MS } from "./pause.ts";
import { asSomebody } from "./person.ts";

export type Client = SupabaseClient<Database>;

export interface CallOptions {
  signal?: AbortSignal;
  /** How long to wait for the answer, in milliseconds: 60,000 where absent; ten minutes for an upload, two hours straight to Storage. */
  timeoutMs?: number;
}

type Fields = Record<string, unknown>;

function toForm(fields: Fields): FormData {
  const { file, ...rest } = fields;
  const form = new FormData();
  // The file goes last: what stands before it decides whether it is read at all.
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) form.append(name, String(value));
  if (file instanceof Blob) form.append("file", file);
  return form;
}

/** Here and not in supabase-js, to which what is no JSON looks like a network that fails. */
function toJson(fields: Fields): string {
  try {
    return JSON.stringify(fields);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new GenesisError("validation_failed", `This is no JSON: ${message}`, {}, null, { cause: error });
  }
}

/** Fills `:name` from the fields; what is left of a request without a body becomes its query. */
function address(route: Route, input: Fields): { path: string; rest: Fields } {
  const rest = { ...input };
  const filled = route.path.replaceAll(/:(\w+)/g, (_, name: string) => {
    const value = rest[name];
    delete rest[name];
    return encodeURIComponent(String(value));
  });
  if (route.body !== "none") return { path: filled, rest };
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) query.set(name, String(value));
  const text = String(query);
  return { path: text ? `${filled}?${text}` : filled, rest: {} };
}

/** Calls an operation. Throws a GenesisError, or the signal's reason when the caller gave it up. */
export function call(supabase: Client, route: Route, input: Fields, options: CallOptions = {}): Promise<unknown> {
  return asSomebody(supabase, () => request(supabase, route, input, options), options.signal);
}

async function request(
  supabase: Client,
  route: Route,
  input: Fields,
  { signal, timeoutMs = route.body === "multipart" ? 600_000 : 60_000 }: CallOptions,
): Promise<unknown> {
  signal?.throwIfAborted();
  const { path, rest } = address(route, input);
  const { data, error } = await supabase.functions.invoke(path, {
    method: route.method,
    ...(route.body === "multipart" && { body: toForm(rest) }),
    ...(route.body === "json" && { body: toJson(rest), headers: { "Content-Type": "application/json" } }),
    timeout: Math.min(LONGEST_TIMER_MS, timeoutMs),
    ...(signal && { signal }),
  });
  // 204 has no body, which supabase-js reads as an empty text.
  if (!error) return data === "" ? null : data;
  signal?.throwIfAborted();
  const refusal = await toGenesisError(error);
  if (refusal.code !== "internal" || refusal.request_id !== null) throw refusal;
  throw new GenesisError("internal", `${path} failed: ${refusal.message}`, {}, null, { cause: error });
}
