// One joined channel: what its client may do there, what it says, and how it ends.
import { type Extension, mayReceive, maySend } from "./authorization.ts";
import type { Subscription } from "./changes.ts";
import { type Broadcast, type Frame, type Version, writeFrame } from "./frames.ts";
import type { Address } from "./hub.ts";
import { type JoinConfig, readReplay } from "./join.ts";
import { MAX_PAYLOAD_BYTES, payloadText } from "./payloads.ts";
import { readPast } from "./replay.ts";
import type { Socket } from "./socket.ts";
import { messageOf } from "../user_error.ts";
import { expired, Refusal, type Token } from "./tokens.ts";
import { personOf } from "./turns.ts";

/** What a timer can wait for; an expiry further away is looked at again then. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

const NOTHING = Promise.resolve<Record<Extension, boolean>>({ broadcast: false, presence: false });

const tooLate = (timeout: number) =>
  new Refusal(
    "PostgresChangesSubscribeTimeout",
    `Timed out after ${timeout}ms waiting for the postgres_changes subscription`,
  );

export class Channel implements Address {
  readonly isPrivate: boolean;
  readonly presenceKey: string;
  readonly version: Version;
  mayReceive: Record<Extension, boolean> = { broadcast: true, presence: true };
  #maySend: Partial<Record<Extension, Promise<boolean>>> = {};
  #token: Token | undefined;
  #tokenText: string;
  #expiry: ReturnType<typeof setTimeout> | undefined;
  #hasEnded = false;
  /** Whether it waits to be asked for again. */
  #isDue = false;
  #wantsPresence: boolean;
  #subscription: Subscription | undefined;

  constructor(
    readonly socket: Socket,
    readonly topic: string,
    readonly joinRef: string | null,
    private readonly config: JoinConfig,
    tokenText: string,
  ) {
    this.isPrivate = config.private;
    this.presenceKey = config.presence.key || crypto.randomUUID();
    this.version = socket.version;
    this.#tokenText = tokenText;
    this.#wantsPresence = config.presence.enabled;
  }

  get hearsPresence(): boolean {
    return this.#wantsPresence && this.mayReceive.presence;
  }

  get token(): Token {
    if (!this.#token) throw new Error("Cannot ask for the token of a channel before it was read");
    return this.#token;
  }

  get #question() {
    return { topic: this.topic, caller: this.token.caller, headers: this.socket.headers };
  }

  #inTurn<T>(ask: () => Promise<T>): Promise<T> {
    return this.socket.services.turns.take(personOf(this.token.caller), ask);
  }

  /** Throws Refusal for a token that is not good. */
  async #identify(): Promise<void> {
    this.#token = await this.socket.services.readToken(this.#tokenText);
    this.#watchExpiry();
  }

  /** Asks the policies. Throws Refusal. */
  async #authorise(): Promise<void> {
    if (!this.isPrivate) return;
    this.#maySend = {};
    const { sql } = this.socket.services;
    // Whoever has left meanwhile asks nothing.
    this.mayReceive = await this.#inTurn(() => this.#hasEnded ? NOTHING : mayReceive(sql, this.#question));
    if (!this.mayReceive.broadcast && !this.mayReceive.presence) throw this.#unauthorized();
  }

  #unauthorized(): Refusal {
    return new Refusal(
      "Unauthorized",
      `You do not have permissions to read from this Channel topic: ${this.topic}`,
    );
  }

  /** Answers the join, then sends what a new listener is owed. Throws Refusal before anything was sent. */
  async begin(frame: Frame): Promise<void> {
    await this.#identify();
    const { hub, presence, replication, changes, sql } = this.socket.services;
    const { broadcast, postgres_changes } = this.config;
    const replay = readReplay(broadcast.replay);
    if (replay === null) throw new Refusal("UnableToReplayMessages", "Replay params are not valid");
    if (replay && !this.isPrivate) {
      throw new Refusal("UnableToReplayMessages", "Replay is not allowed for public channels");
    }
    const { wait, timeout } = this.config.postgres_changes_options;
    const isHeld = wait && postgres_changes.length > 0;
    // From the reply on nothing that is committed may be missed.
    await replication.running(isHeld ? timeout : undefined).catch((thrown) => {
      throw isHeld ? tooLate(timeout) : thrown;
    });
    const subscription = changes.subscribe(this, postgres_changes);
    this.#subscription = subscription;
    if (isHeld) {
      const problem = await subscription.check();
      if (problem) throw new Refusal("RealtimeDisabledForConfiguration", problem);
    }
    // Only now, as the stream may have been waited for, and the look at what is subscribed to may take as long as one likes.
    await this.#authorise();
    const past = replay ? await readPast(sql, this.topic, replay) : [];
    // Its token has expired meanwhile, or its client is gone.
    if (this.#hasEnded) return;
    // All that can fail comes before the answer: a client that was told of its success does not try again.
    const shown = this.hearsPresence ? presence.state(this) : undefined;
    const replayed = (this.mayReceive.broadcast ? past : []).map(({ id, event, payload }) =>
      payloadText({ type: "broadcast", event, payload, meta: { replayed: true, id } })
    );
    hub.add(this);
    this.#reply(frame, "ok", { postgres_changes: subscription.answer });
    if (shown !== undefined) this.pushText("presence_state", shown);
    for (const text of replayed) this.pushText("broadcast", text);
    if (postgres_changes.length > 0) {
      const problem = isHeld
        ? undefined
        : await subscription.check().catch((thrown) => this.joinAgain(messageOf(thrown)));
      if (this.#hasEnded) return;
      if (!problem) subscription.start();
      this.#system("postgres_changes", problem ? "error" : "ok", problem ?? "Subscribed to PostgreSQL");
    }
    if (broadcast.replication_ready) this.#system("system", "ok", "Replication connection established");
  }

  async receive(frame: Frame): Promise<void> {
    const payload = (typeof frame.payload === "object" ? frame.payload : null) as Record<string, unknown> | null;
    switch (frame.event) {
      case "phx_leave":
        this.end();
        this.#reply(frame, "ok", {});
        return this.push("phx_close", {}, this.joinRef);
      case "access_token":
        return await this.#renew(payload?.access_token);
      case "broadcast":
        return await this.#broadcast(frame, payload);
      case "presence":
        return await this.#presence(frame, payload);
    }
  }

  async #broadcast(frame: Frame, payload: Record<string, unknown> | null): Promise<void> {
    const { ack, self } = this.config.broadcast;
    if (typeof payload?.event !== "string") {
      return this.#reply(frame, "error", { reason: "A broadcast names its event" });
    }
    const size = payload.payload instanceof Uint8Array ? payload.payload.length : payloadText(payload).length;
    if (size > MAX_PAYLOAD_BYTES) {
      if (ack) this.#reply(frame, "error", { reason: "Payload size exceeds tenant limit" });
      return;
    }
    if (!await this.#may("broadcast")) return;
    const { event, payload: body, meta } = payload as unknown as Broadcast;
    this.socket.services.hub.broadcast(this, { event, payload: body, meta }, self ? undefined : this);
    if (ack) this.#reply(frame, "ok", {});
  }

  async #presence(frame: Frame, payload: Record<string, unknown> | null): Promise<void> {
    const { presence } = this.socket.services;
    if (payload?.event === "untrack") {
      presence.untrack(this);
    } else if (payload?.event === "track") {
      if (!await this.#may("presence")) {
        return this.#reply(frame, "error", {
          reason: "Unauthorized: You do not have permissions to show presence here",
        });
      }
      if (this.#hasEnded) return;
      const content = payload.payload;
      this.#wantsPresence = true;
      presence.track(this, typeof content === "object" && content !== null ? content as Record<string, unknown> : {});
    } else {
      return this.#reply(frame, "error", { reason: "A presence message is track or untrack" });
    }
    this.#reply(frame, "ok", {});
  }

  /** Asked once until the token or the membership may have changed. */
  async #may(extension: Extension): Promise<boolean> {
    if (!this.isPrivate) return true;
    const { sql } = this.socket.services;
    return await (this.#maySend[extension] ??= this.#inTurn(() => maySend(sql, this.#question, extension)));
  }

  async #renew(text: unknown): Promise<void> {
    if (typeof text !== "string" || text.startsWith("sb_") || text === this.#tokenText) return;
    this.#tokenText = text;
    try {
      await this.#identify();
      await this.#authorise();
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown;
      this.shutDown(thrown.reason);
    }
  }

  /** Asks the policies again, and ends the channel when its caller has lost the topic. */
  async recheck(): Promise<void> {
    if (!this.isPrivate || this.#hasEnded || this.#isDue) return;
    this.#isDue = true;
    const may = await this.#inTurn(() => {
      // What changes from here on is asked about once more.
      this.#isDue = false;
      if (this.#hasEnded) return NOTHING;
      this.#maySend = {};
      return mayReceive(this.socket.services.sql, this.#question);
    });
    if (this.#hasEnded) return;
    this.mayReceive = may;
    if (!may.broadcast && !may.presence) this.shutDown(this.#unauthorized().reason);
  }

  #watchExpiry(): void {
    clearTimeout(this.#expiry);
    const { expiresAt } = this.token;
    if (expiresAt === undefined || this.#hasEnded) return;
    const left = expiresAt * 1000 - Date.now();
    this.#expiry = setTimeout(
      () => left <= LONGEST_TIMEOUT ? this.shutDown(expired(expiresAt).reason) : this.#watchExpiry(),
      Math.min(Math.max(left, 0), LONGEST_TIMEOUT),
    );
  }

  /** What it subscribed to will not arrive any more; the channel goes on. */
  changesFailed(message: string): void {
    if (!this.#hasEnded) this.#system("postgres_changes", "error", message);
  }

  /** Ends the channel, for a client that was told of its success: it joins again by itself. */
  joinAgain(reason: string): undefined {
    if (this.#hasEnded) return;
    this.push("phx_error", {}, this.joinRef);
    this.end();
    this.socket.services.log(`realtime: ${reason}`);
  }

  /** Ends the channel for good: its client does not join again by itself. */
  shutDown(message: string): void {
    if (this.#hasEnded) return;
    this.#system("system", "error", message);
    this.push("phx_close", {}, this.joinRef);
    this.end();
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    clearTimeout(this.#expiry);
    this.#subscription?.end();
    const { hub, presence } = this.socket.services;
    this.socket.forget(this);
    hub.remove(this);
    presence.untrack(this);
  }

  #system(extension: string, status: "ok" | "error", message: string): void {
    this.push("system", { extension, status, message, channel: this.topic });
  }

  push(event: string, payload: unknown, ref: string | null = null): void {
    this.pushText(event, JSON.stringify(payload), ref);
  }

  /** The same for a payload that is JSON text already. */
  pushText(event: string, payloadText: string, ref: string | null = null): void {
    const frame = { joinRef: this.joinRef, ref, topic: `realtime:${this.topic}`, event, payloadText };
    this.socket.send(writeFrame(frame, this.version));
  }

  #reply(frame: Frame, status: "ok" | "error", response: unknown): void {
    this.push("phx_reply", { status, response }, frame.ref);
  }
}
