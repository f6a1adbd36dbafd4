// What a change answers with. Where changed rows are shown with others, or under other names, lite looks for them by the
// filters that they were changed by, which they may not pass any more; it gives them as a list to who asked for one row, and
// does not count them. And where there was not one, it has changed them all the same.
import { AsyncLocalStorage } from "node:async_hooks";

interface Change {
  request: Request;
  filters?: Record<string, unknown>;
}

const changes = new AsyncLocalStorage<Change>();

/** Handles a request that may change rows. */
export function changing<Answer>(request: Request, handle: () => Answer): Answer {
  return changes.run({ request }, handle);
}

/** Takes note of a request as lite has read it. */
export function noteRead({ type, where }: { type?: unknown; where?: unknown }): void {
  const change = changes.getStore();
  if (change && type === "update" && where) change.filters = where as Change["filters"];
}

/** Takes note of a statement: of rows that are changed now, lite knows the keys, and is to look for them by these alone. */
export function noteStatement(text: string): void {
  const { filters = {} } = changes.getStore() ?? {};
  if (/^update\b/i.test(text)) { for (const name of Object.keys(filters)) delete filters[name]; }
}

/** Where a transaction ends without a change, with the answer that says why. */
export class Unchanged extends Error {
  constructor(readonly response: Response) {
    super("The request is refused");
  }
}

/**
 * The answer to a change, as PostgREST gives it.
 * @throws {Unchanged} where there is not the one row that was asked for
 */
export async function represented(response: Response): Promise<Response> {
  const { request } = changes.getStore() ?? {};
  if (!request || /^(GET|HEAD)$/.test(request.method)) return response;
  if (response.status === 406) throw new Unchanged(response);
  const isOne = /\bapplication\/vnd\.pgrst\.object\b/.test(request.headers.get("accept") ?? "");
  const isCounted = /\bcount=/.test(request.headers.get("prefer") ?? "");
  const type = response.headers.get("content-type") ?? "";
  const isList = response.ok && response.body !== null && /^application\/(vnd\.pgrst\.array\+)?json\b/.test(type);
  if (!isOne && !isCounted || !isList || request.url.includes("/rpc/")) return response;
  const rows: unknown[] = await response.json();
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  const range = headers.get("content-range");
  if (isCounted && range) headers.set("content-range", range.replace(/\*$/, String(rows.length)));
  if (!isOne) return new Response(JSON.stringify(rows), { status: response.status, headers });
  headers.set("content-type", type.replace(/^.*json/, "application/vnd.pgrst.object+json"));
  if (rows.length === 1) return new Response(JSON.stringify(rows[0]), { status: response.status, headers });
  const message = "Cannot coerce the result to a single JSON object";
  const details = `The result contains ${rows.length} rows`;
  throw new Unchanged(Response.json({ code: "PGRST116", details, hint: null, message }, { status: 406 }));
}
