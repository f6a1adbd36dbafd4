// The wire: what one WebSocket frame says, in both versions of the protocol that clients speak.
//
// Text, version 2:  [join_ref, ref, topic, event, payload]
// Text, version 1:  {"topic": …, "event": …, "payload": …, "ref": …, "join_ref": …}
// Binary, version 2: kind 3 carries a client's broadcast, kind 4 a server's.

import { Refusal } from "./tokens.ts";

export type Version = 1 | 2;

export interface Frame {
  joinRef: string | null;
  ref: string | null;
  topic: string;
  event: string;
  payload: unknown;
}

/** What a client broadcasts: JSON, or bytes that nobody looks into. */
export interface Broadcast {
  event: string;
  payload: unknown;
  meta?: Record<string, unknown>;
}

const CLIENT_BROADCAST = 3;
const SERVER_BROADCAST = 4;
const decoder = new TextDecoder();
const encoder = new TextEncoder();
/** The lengths of topic, event and meta stand in one byte each. */
const MAX_PART_BYTES = 255;

const asText = (value: unknown): string | null => typeof value === "string" ? value : null;

/** Reads a frame. Throws when it is none. */
export function readFrame(data: string | ArrayBuffer, version: Version): Frame {
  if (typeof data !== "string") return readBinary(new Uint8Array(data));
  const parsed = JSON.parse(data);
  const [joinRef, ref, topic, event, payload] = version === 2
    ? parsed
    : [parsed.join_ref, parsed.ref, parsed.topic, parsed.event, parsed.payload];
  if (typeof topic !== "string" || typeof event !== "string") throw new Error("A frame names its topic and event");
  return { joinRef: asText(joinRef), ref: asText(ref), topic, event, payload };
}

function readBinary(bytes: Uint8Array): Frame {
  if (bytes.length < 7 || bytes[0] !== CLIENT_BROADCAST) throw new Error("A binary frame is a broadcast");
  let offset = 7;
  const [joinRef = "", ref = "", topic = "", event = "", metaText = ""] = [...bytes.subarray(1, 6)].map((length) =>
    decoder.decode(bytes.subarray(offset, offset += length))
  );
  const rest = bytes.subarray(offset);
  const isJson = bytes[6] === 1;
  const broadcast: Broadcast & { type: string } = {
    type: "broadcast",
    event,
    payload: isJson ? (rest.length > 0 ? JSON.parse(decoder.decode(rest)) : {}) : rest,
  };
  if (metaText) broadcast.meta = JSON.parse(metaText);
  return { joinRef: joinRef || null, ref: ref || null, topic, event: "broadcast", payload: broadcast };
}

/** Writes a frame whose payload is JSON text already: the same text goes to everybody who listens. */
export function writeFrame(frame: Omit<Frame, "payload"> & { payloadText: string }, version: Version): string {
  const { joinRef, ref, topic, event, payloadText } = frame;
  const json = JSON.stringify;
  return version === 2
    ? `[${json(joinRef)},${json(ref)},${json(topic)},${json(event)},${payloadText}]`
    : `{"topic":${json(topic)},"event":${json(event)},"payload":${payloadText},"ref":${json(ref)}}`;
}

/** A broadcast of bytes; version 1 has no way to say it. Throws Refusal where a part is too long to be said. */
export function writeBinaryBroadcast(topic: string, { event, payload, meta }: Broadcast): Uint8Array<ArrayBuffer> {
  const parts = [topic, event, meta ? JSON.stringify(meta) : ""].map((text) => encoder.encode(text));
  if (parts.some(({ length }) => length > MAX_PART_BYTES)) {
    throw new Refusal(
      "InvalidBroadcast",
      `With bytes the topic, with its realtime:, the event and the meta take at most ${MAX_PART_BYTES} bytes each`,
    );
  }
  const body = payload as Uint8Array;
  const head = Uint8Array.of(SERVER_BROADCAST, ...parts.map((part) => part.length), 0);
  const bytes = new Uint8Array(head.length + parts.reduce((sum, part) => sum + part.length, 0) + body.length);
  let offset = 0;
  for (const part of [head, ...parts, body]) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
