// Presence: who shows themselves on a topic, by key, and what changes about it.
import type { Channel } from "./channel.ts";
import type { Address, Hub } from "./hub.ts";

type Meta = Record<string, unknown> & { phx_ref: string };
type Shown = Record<string, { metas: Meta[] }>;

const sameContent = ({ phx_ref: _a, phx_ref_prev: _b, ...one }: Meta, other: Record<string, unknown>): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

export class Presence {
  readonly #metas = new Map<Channel, Meta>();

  constructor(private readonly hub: Hub) {}

  /** Everybody who is shown on a topic. */
  state(address: Address): Shown {
    const state: Shown = {};
    for (const channel of this.hub.at(address)) {
      const meta = this.#metas.get(channel);
      if (meta) (state[channel.presenceKey] ??= { metas: [] }).metas.push(meta);
    }
    return state;
  }

  /** Shows a channel's user with that content; the same content again changes nothing. */
  track(channel: Channel, content: Record<string, unknown>): void {
    const former = this.#metas.get(channel);
    if (former && sameContent(former, content)) return;
    const meta: Meta = { ...content, phx_ref: crypto.randomUUID() };
    if (former) meta.phx_ref_prev = former.phx_ref;
    this.#metas.set(channel, meta);
    const key = channel.presenceKey;
    this.#tell(channel, { [key]: { metas: [meta] } }, former ? { [key]: { metas: [former] } } : {});
  }

  /** Also for a channel that is not shown. */
  untrack(channel: Channel): void {
    const former = this.#metas.get(channel);
    if (!former) return;
    this.#metas.delete(channel);
    this.#tell(channel, {}, { [channel.presenceKey]: { metas: [former] } });
  }

  #tell(address: Address, joins: Shown, leaves: Shown): void {
    for (const channel of this.hub.at(address)) {
      if (channel.hearsPresence) channel.push("presence_diff", { joins, leaves });
    }
  }
}
