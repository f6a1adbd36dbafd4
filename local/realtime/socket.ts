// One client's connection: reads its frames, keeps its channels, and is cut off when it does not read what it is sent.
import { Channel } from "./channel.ts";
import { type Frame, readFrame, type Version, writeFrame } from "./frames.ts";
import { readJoin } from "./join.ts";
import type { Services } from "./services.ts";
import { Refusal, type Token } from "./tokens.ts";

/** What may wait for a client that reads slowly. */
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024;
/** What may wait for us: a client says all that it has as soon as it has joined, while we ask the policies. */
const MAX_PENDING_BYTES = 16 * 1024 * 1024;
const MAX_PENDING_FRAMES = 50_000;
const MAX_FRAME_BYTES = 5_000_000;
const MAX_CHANNELS = 100;
const PREFIX = "realtime:";

export class Socket {
  readonly #channels = new Map<string, Channel>();
  /** The frames of one topic are handled in their order; topics do not wait for each other. */
  readonly #queues = new Map<string, Promise<void>>();
  readonly #pending = { frames: 0, bytes: 0 };
  #isOpen = true;

  constructor(
    readonly web: WebSocket,
    readonly version: Version,
    readonly token: Token,
    readonly headers: Record<string, string>,
    readonly services: Services,
    private readonly onClose: (socket: Socket) => void,
  ) {
    web.binaryType = "arraybuffer";
    web.onmessage = ({ data }) => this.#receive(data);
    web.onclose = () => this.#closed();
    web.onerror = () => this.#closed();
  }

  send(frame: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#isOpen || this.web.readyState !== WebSocket.OPEN) return;
    this.web.send(frame);
    if (this.web.bufferedAmount > MAX_BUFFERED_BYTES) {
      this.services.log("a client that reads too slowly was disconnected");
      this.close(1013, "too slow");
    }
  }

  write(frame: Frame): void {
    this.send(writeFrame({ ...frame, payloadText: JSON.stringify(frame.payload) }, this.version));
  }

  /** The client comes back by itself, unless it asked for the end. */
  close(code: number, reason: string): void {
    if (this.web.readyState === WebSocket.OPEN) this.web.close(code, reason);
    this.#closed();
  }

  forget(channel: Channel): void {
    if (this.#channels.get(channel.topic) === channel) this.#channels.delete(channel.topic);
  }

  #closed(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const channel of [...this.#channels.values()]) {
      try {
        channel.end();
      } catch (thrown) {
        // The others end all the same.
        this.#log(thrown);
      }
    }
    this.onClose(this);
  }

  #receive(data: unknown): void {
    if (typeof data !== "string" && !(data instanceof ArrayBuffer)) return;
    const size = typeof data === "string" ? data.length : data.byteLength;
    if (size > MAX_FRAME_BYTES) return this.close(1009, "message too big");
    let frame: Frame;
    try {
      frame = readFrame(data, this.version);
    } catch {
      return this.close(1003, "unreadable frame");
    }
    if (frame.topic === "phoenix") {
      if (frame.event === "heartbeat") this.#reply(frame, "ok", {});
      return;
    }
    this.#pending.frames++;
    this.#pending.bytes += size;
    if (this.#pending.frames > MAX_PENDING_FRAMES || this.#pending.bytes > MAX_PENDING_BYTES) {
      this.services.log("a client that sent more than could be handled was disconnected");
      return this.close(1008, "too many messages");
    }
    const before = this.#queues.get(frame.topic);
    const handled = (before ?? Promise.resolve())
      .then(() => this.#isOpen ? this.#handle(frame) : undefined)
      .catch((thrown) => this.#failed(frame, thrown))
      .finally(() => {
        this.#pending.frames--;
        this.#pending.bytes -= size;
        if (this.#queues.get(frame.topic) === handled) this.#queues.delete(frame.topic);
      });
    this.#queues.set(frame.topic, handled);
  }

  async #handle(frame: Frame): Promise<void> {
    const name = frame.topic.startsWith(PREFIX) ? frame.topic.slice(PREFIX.length) : undefined;
    const channel = name === undefined ? undefined : this.#channels.get(name);
    if (frame.event === "phx_join") return await this.#join(frame, name, channel);
    const isStale = channel && frame.joinRef !== null && frame.joinRef !== channel.joinRef;
    if (frame.event === "phx_leave" && (!channel || isStale)) return this.#reply(frame, "ok", {});
    if (isStale) return;
    if (!channel) return this.#reply(frame, "error", { reason: "unmatched topic" });
    await channel.receive(frame);
  }

  async #join(frame: Frame, name: string | undefined, former: Channel | undefined): Promise<void> {
    if (name === undefined) return this.#reply(frame, "error", { reason: "unmatched topic" });
    if (name === "") throw new Refusal("TopicNameRequired", "You must provide a topic name");
    former?.end();
    if (former) {
      this.write({ joinRef: former.joinRef, ref: former.joinRef, topic: frame.topic, event: "phx_close", payload: {} });
    }
    if (this.#channels.size >= MAX_CHANNELS) throw new Refusal("ChannelRateLimitReached", "Too many channels");
    const { config, token } = readJoin(frame.payload);
    const channel = new Channel(this, name, frame.joinRef ?? frame.ref, config, token ?? this.token.text);
    this.#channels.set(name, channel);
    try {
      await channel.begin(frame);
    } catch (thrown) {
      channel.end();
      throw thrown;
    }
  }

  #reply({ joinRef, ref, topic }: Frame, status: "ok" | "error", response: unknown): void {
    this.write({ joinRef, ref, topic, event: "phx_reply", payload: { status, response } });
  }

  #failed(frame: Frame, thrown: unknown): void {
    if (!(thrown instanceof Refusal)) this.#log(thrown);
    const reason = thrown instanceof Refusal ? thrown.reason : "UnknownError: Realtime cannot do this now";
    this.#reply(frame, "error", { reason });
  }
  #log(thrown: unknown): void {
    this.services.log(`realtime: ${thrown instanceof Error ? thrown.stack : thrown}`);
  }
}
