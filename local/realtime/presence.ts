// Presence: who shows themselves on a topic, by key, and what changes about it. All is kept as JSON text: what was
// accepted can be sent, and a key is any text.
import type { Channel } from "./channel.ts";
import type { Address, Hub } from "./hub.ts";
import { MAX_PAYLOAD_BYTES, payloadText } from "./payloads.ts";
import { Refusal } from "./tokens.ts";

interface Shown {
  /** What the client gave. */
  content: string;
  ref: string;
  /** What everybody is told. */
  meta: string;
}

const entry = (key: string, metas: string[]): string => `${JSON.stringify(key)}:{"metas":[${metas.join(",")}]}`;

export class Presence {
  readonly #shown = new Map<Channel, Shown>();

  constructor(private readonly hub: Hub, private readonly log: (line: string) => void) {}

  /** Everybody who is shown on a topic, as JSON text. */
  state(address: Address): string {
    const metas = new Map<string, string[]>();
    for (const channel of this.hub.at(address)) {
      const shown = this.#shown.get(channel);
      if (shown) metas.set(channel.presenceKey, [...metas.get(channel.presenceKey) ?? [], shown.meta]);
    }
    return `{${[...metas].map(([key, each]) => entry(key, each)).join(",")}}`;
  }

  /** Shows a channel's user with what they say; the same again changes nothing. Throws Refusal before anything changes. */
  track(channel: Channel, { phx_ref: _ref, phx_ref_prev: _former, ...said }: Record<string, unknown>): void {
    const content = payloadText(said);
    if (content.length > MAX_PAYLOAD_BYTES) {
      throw new Refusal("PayloadTooLarge", "Payload size exceeds tenant limit");
    }
    const former = this.#shown.get(channel);
    if (former?.content === content) return;
    const ref = crypto.randomUUID();
    const refs = JSON.stringify({ phx_ref: ref, phx_ref_prev: former?.ref });
    const meta = content === "{}" ? refs : `${content.slice(0, -1)},${refs.slice(1)}`;
    this.#shown.set(channel, { content, ref, meta });
    this.#tell(channel, meta, former?.meta);
  }

  /** Also for a channel that is not shown. */
  untrack(channel: Channel): void {
    const former = this.#shown.get(channel);
    if (!former) return;
    this.#shown.delete(channel);
    this.#tell(channel, undefined, former.meta);
  }

  #tell({ topic, isPrivate, presenceKey }: Channel, joined: string | undefined, left: string | undefined): void {
    const [joins, leaves] = [joined, left].map((meta) => meta === undefined ? "{}" : `{${entry(presenceKey, [meta])}}`);
    for (const channel of this.hub.at({ topic, isPrivate })) {
      try {
        if (channel.hearsPresence) channel.pushText("presence_diff", `{"joins":${joins},"leaves":${leaves}}`);
      } catch (thrown) {
        // The others are told all the same.
        this.log(`realtime: ${thrown instanceof Error ? thrown.stack : thrown}`);
      }
    }
  }
}
