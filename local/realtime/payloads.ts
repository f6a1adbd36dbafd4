// What clients say, as JSON text: written once, before anything is done with it.
import { Refusal } from "./tokens.ts";

export const MAX_PAYLOAD_BYTES = 3_000_000;

/** Throws Refusal for what nests deeper than can be written: reading such a text has no limit. */
export function payloadText(payload: unknown): string {
  try {
    return JSON.stringify(payload);
  } catch {
    throw new Refusal("InvalidPayload", "The payload nests too deeply");
  }
}
