// Broadcast over HTTP: many messages at once, or one whose topic and event stand in the path.
import type postgres from "postgres";
import { z } from "zod";
import type { Caller } from "../caller.ts";
import { maySend } from "./authorization.ts";
import type { Hub } from "./hub.ts";

const MAX_BODY_BYTES = 3_000_000;

const Batch = z.object({
  messages: z.array(z.object({
    topic: z.string().min(1),
    event: z.string().min(1),
    payload: z.record(z.string(), z.unknown()),
    private: z.boolean().default(false),
  })),
});

const refuse = (status: number, message: string): Response => Response.json({ message }, { status });
const accepted = (): Response => new Response(null, { status: 202 });

export interface BroadcastRequest {
  request: Request;
  url: URL;
  caller: Caller;
}

/** Answers `POST /realtime/v1/api/broadcast` and `…/broadcast/<topic>/events/<event>`. */
export async function broadcastOverHttp(hub: Hub, sql: postgres.Sql, asked: BroadcastRequest): Promise<Response> {
  const { request, url, caller } = asked;
  const single = /^\/realtime\/v1\/api\/broadcast\/([^/]+)\/events\/([^/]+)$/.exec(url.pathname);
  if (!single && url.pathname !== "/realtime/v1/api/broadcast") return refuse(404, "Not found");
  if (request.method !== "POST") return refuse(405, "Method not allowed");
  const body = new Uint8Array(await request.arrayBuffer());
  if (body.length > MAX_BODY_BYTES) return refuse(413, "Payload size exceeds tenant limit");
  const headers = Object.fromEntries(request.headers);
  const may = (topic: string) => maySend(sql, { topic, caller, headers }, "broadcast");
  const type = request.headers.get("content-type")?.split(";")[0]?.trim() ?? "application/json";

  if (single) {
    const [topic, event] = single.slice(1).map(decodeURIComponent) as [string, string];
    const isPrivate = url.searchParams.get("private") === "true";
    if (type !== "application/json" && type !== "application/octet-stream") {
      return refuse(415, "Unsupported media type");
    }
    const payload = type === "application/json" ? readJson(body) : body;
    if (payload === undefined) return refuse(422, "The body is not JSON");
    if (isPrivate && !await may(topic)) return refuse(403, "You do not have permissions to send on this topic");
    hub.broadcast({ topic, isPrivate }, { event, payload });
    return accepted();
  }

  if (type !== "application/json") return refuse(415, "Unsupported media type");
  const batch = Batch.safeParse(readJson(body));
  if (!batch.success) return Response.json({ errors: z.flattenError(batch.error).fieldErrors }, { status: 422 });
  for (const { topic, event, payload, private: isPrivate } of batch.data.messages) {
    if (!isPrivate || await may(topic)) hub.broadcast({ topic, isPrivate }, { event, payload });
  }
  return accepted();
}

function readJson(body: Uint8Array): unknown {
  try {
    return body.length === 0 ? {} : JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
