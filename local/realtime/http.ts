// Broadcast over HTTP: many messages at once, or one whose topic and event stand in the path.
import type postgres from "postgres";
import { z } from "zod";
import type { Caller } from "../caller.ts";
import { maySend } from "./authorization.ts";
import type { Hub } from "./hub.ts";
import { MAX_PAYLOAD_BYTES, payloadText } from "./payloads.ts";
import { Refusal } from "./tokens.ts";
import { personOf, type Turns } from "./turns.ts";

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
  turns: Turns;
  request: Request;
  url: URL;
  caller: Caller;
}

/** Answers `POST /realtime/v1/api/broadcast` and `…/broadcast/<topic>/events/<event>`. */
export async function broadcastOverHttp(hub: Hub, sql: postgres.Sql, asked: BroadcastRequest): Promise<Response> {
  try {
    return await broadcast(hub, sql, asked);
  } catch (thrown) {
    if (thrown instanceof Refusal) return refuse(422, thrown.message);
    throw thrown;
  }
}

async function broadcast(
  hub: Hub,
  sql: postgres.Sql,
  { request, url, caller, turns }: BroadcastRequest,
): Promise<Response> {
  const single = /^\/realtime\/v1\/api\/broadcast\/([^/]+)\/events\/([^/]+)$/.exec(url.pathname);
  if (!single && url.pathname !== "/realtime/v1/api/broadcast") return refuse(404, "Not found");
  if (request.method !== "POST") return refuse(405, "Method not allowed");
  const names = single?.slice(1).map(readName);
  if (names?.includes(undefined)) return refuse(400, "The path is not well encoded");
  const body = await readBody(request);
  if (!body) return refuse(413, "Payload size exceeds tenant limit");
  const headers = Object.fromEntries(request.headers);
  const may = (topic: string) =>
    turns.take(personOf(caller), () => maySend(sql, { topic, caller, headers }, "broadcast"));
  const type = request.headers.get("content-type")?.split(";")[0]?.trim() ?? "application/json";

  if (names) {
    const [topic, event] = names as [string, string];
    const isPrivate = url.searchParams.get("private") === "true";
    if (type !== "application/json" && type !== "application/octet-stream") {
      return refuse(415, "Unsupported media type");
    }
    const payload = type === "application/json" ? readJson(body) : body;
    if (payload === undefined) return refuse(422, "The body is not JSON");
    if (isPrivate && !await may(topic)) return refuse(403, "You do not have permissions to send on this topic");
    if (payload instanceof Uint8Array) hub.broadcast({ topic, isPrivate }, { event, payload });
    else hub.broadcastText({ topic, isPrivate }, { event, payloadText: payloadText(payload ?? {}) });
    return accepted();
  }

  if (type !== "application/json") return refuse(415, "Unsupported media type");
  const batch = Batch.safeParse(readJson(body));
  if (!batch.success) return Response.json({ errors: z.flattenError(batch.error).fieldErrors }, { status: 422 });
  // All or nothing of what can be refused.
  const messages = batch.data.messages.map(({ payload, ...rest }) => ({ ...rest, payloadText: payloadText(payload) }));
  for (const { topic, event, payloadText, private: isPrivate } of messages) {
    if (!isPrivate || await may(topic)) hub.broadcastText({ topic, isPrivate }, { event, payloadText });
  }
  return accepted();
}

function readName(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

/** Undefined for one that is larger than a message may be; no more of it is read then. */
async function readBody(request: Request): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get("content-length")) > MAX_PAYLOAD_BYTES) return undefined;
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > MAX_PAYLOAD_BYTES) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

function readJson(body: Uint8Array): unknown {
  try {
    return body.length === 0 ? {} : JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
