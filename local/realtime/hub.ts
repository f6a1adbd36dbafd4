// Who listens to which topic, and the way of a message to all of them. A public and a private topic of one name are two.
import { type Broadcast, writeBinaryBroadcast, writeFrame } from "./frames.ts";
import type { Channel } from "./channel.ts";

export interface Address {
  /** Without `realtime:`. */
  topic: string;
  isPrivate: boolean;
}

const keyOf = ({ topic, isPrivate }: Address): string => `${isPrivate ? "private" : "public"} ${topic}`;

export class Hub {
  readonly #channels = new Map<string, Set<Channel>>();

  add(channel: Channel): void {
    const key = keyOf(channel);
    const listeners = this.#channels.get(key);
    if (listeners) listeners.add(channel);
    else this.#channels.set(key, new Set([channel]));
  }

  remove(channel: Channel): void {
    const key = keyOf(channel);
    const listeners = this.#channels.get(key);
    listeners?.delete(channel);
    if (listeners?.size === 0) this.#channels.delete(key);
  }

  at(address: Address): Iterable<Channel> {
    return this.#channels.get(keyOf(address)) ?? [];
  }

  *all(): Iterable<Channel> {
    for (const listeners of this.#channels.values()) yield* listeners;
  }

  /** Sends to everybody on the topic except one; who may not receive broadcasts there is passed over. */
  broadcast(address: Address, broadcast: Broadcast, except?: Channel): void {
    if (broadcast.payload instanceof Uint8Array) {
      const bytes = writeBinaryBroadcast(`realtime:${address.topic}`, broadcast);
      this.#fanOut(address, except, (channel) => channel.version === 2 && channel.socket.send(bytes));
      return;
    }
    const { event, payload, meta } = broadcast;
    this.broadcastText(address, { event, payloadText: JSON.stringify(payload ?? {}), meta }, except);
  }

  /** The same for a payload that is JSON text already. */
  broadcastText(
    address: Address,
    { event, payloadText, meta }: { event: string; payloadText: string; meta?: Record<string, unknown> },
    except?: Channel,
  ): void {
    const text = `{"type":"broadcast","event":${JSON.stringify(event)},"payload":${payloadText}` +
      (meta ? `,"meta":${JSON.stringify(meta)}}` : "}");
    const frame = { joinRef: null, ref: null, topic: `realtime:${address.topic}`, event: "broadcast" };
    const written = new Map<number, string>();
    this.#fanOut(address, except, (channel) => {
      const known = written.get(channel.version) ?? writeFrame({ ...frame, payloadText: text }, channel.version);
      written.set(channel.version, known);
      channel.socket.send(known);
    });
  }

  #fanOut(address: Address, except: Channel | undefined, send: (channel: Channel) => void): void {
    for (const channel of this.at(address)) {
      if (channel !== except && channel.mayReceive.broadcast) send(channel);
    }
  }
}
