// The stream of committed changes: logical decoding by pgoutput through a temporary slot, which PostgreSQL itself drops
// with its connection, also when this process is killed. It runs while somebody listens.
import { LogicalReplicationService, type Pgoutput, PgoutputPlugin } from "pg-logical-replication";
import type { Change } from "./changes.ts";
import type { Definition } from "./tables.ts";
import { Refusal } from "./tokens.ts";

const PUBLICATIONS = ["supabase_realtime", "supabase_realtime_messages_publication"];
/** How long the stream goes on when nobody listens any more: clients that reconnect find it running. */
const IDLE_MS = 30_000;
/** A slot begins when the transactions of the moment have ended; a join does not wait longer than its client does. */
const PATIENCE_MS = 9_000;

/** One row of realtime.messages, as it was committed. */
export interface StoredMessage {
  id: string;
  topic: string;
  event: string;
  isPrivate: boolean;
  /** JSON text, or bytes in PostgreSQL's hexadecimal form. */
  payload: string | null;
  bytes: string | null;
}

export interface ReplicationOptions {
  databaseUrl: string;
  /** Answers a promise while that transaction cannot be seen yet. */
  onBegin(xid: number): Promise<void> | undefined;
  onMessage(message: StoredMessage): void;
  /** Answers a promise when the stream is to wait. */
  onChange(change: Change): Promise<void> | undefined;
  /** Answers a promise when the stream is to wait. */
  onDefinition(definition: Definition): Promise<void> | undefined;
  /** The stream broke off: what was committed since may be lost to those who listen. */
  onLost(reason: string): void;
}

/** Makes its slot on its own connection, so that the slot is gone when the connection is. */
class TemporarySlot extends PgoutputPlugin {
  /** Texts are kept as they are: PostgreSQL casts them, and messages go out unread. */
  override parse(...[buffer]: Parameters<PgoutputPlugin["parse"]>): Pgoutput.Message {
    const message = super.parse(buffer);
    if (message.tag === "relation") { for (const column of message.columns) column.parser = (text: unknown) => text; }
    return message;
  }

  override async start(...[client, name, lsn]: Parameters<PgoutputPlugin["start"]>) {
    await client.query(`CREATE_REPLICATION_SLOT "${name}" TEMPORARY LOGICAL pgoutput NOEXPORT_SNAPSHOT`);
    return await super.start(client, name, lsn);
  }
}

/** The place one byte before, as the library acknowledges the place one byte behind what it is given. */
function before(lsn: string): string {
  const [high = 0n, low = 0n] = lsn.split("/").map((part) => BigInt(`0x${part}`));
  const place = (high << 32n) + low;
  const former = place > 0n ? place - 1n : place;
  return [former >> 32n, BigInt.asUintN(32, former)].map((part) => part.toString(16)).join("/");
}

/** Acknowledges as much as it was sent: a PostgreSQL that shuts down waits until both are the same. */
class Stream extends LogicalReplicationService {
  override acknowledge(lsn: string, ping?: boolean) {
    return super.acknowledge(before(lsn), ping);
  }
}

export class Replication {
  #service: LogicalReplicationService | undefined;
  #started: Promise<void> | undefined;
  #idle: ReturnType<typeof setTimeout> | undefined;
  #committedAt = "";

  constructor(private readonly options: ReplicationOptions) {}

  /** Resolves when everything that is committed from now on will be heard. Throws Refusal when that takes too long. */
  async running(patienceMs = PATIENCE_MS): Promise<void> {
    if (!this.#started) {
      this.#started = this.#start();
      // Also when whoever asked has lost patience.
      this.#started.catch(() => {});
    }
    let patience: ReturnType<typeof setTimeout> | undefined;
    const tooLong = new Promise<void>((_, reject) => {
      patience = setTimeout(
        () => reject(new Refusal("RealtimeRestarting", "Realtime is restarting, please standby")),
        patienceMs,
      );
    });
    try {
      await Promise.race([this.#started, tooLong]);
    } finally {
      clearTimeout(patience);
    }
  }

  /** Somebody listens: the stream stays. */
  keep(): void {
    clearTimeout(this.#idle);
    this.#idle = undefined;
  }

  /** Nobody listens: the stream ends in a while. */
  release(): void {
    this.#idle ??= setTimeout(() => void this.stop(), IDLE_MS);
  }

  async stop(): Promise<void> {
    this.keep();
    const service = this.#service;
    this.#service = this.#started = undefined;
    await service?.destroy().catch(() => {});
  }

  async #start(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const service = new Stream(
      { connectionString: this.options.databaseUrl },
      // There is nothing to resume: what was received is acknowledged, every few seconds and when the server asks.
      { acknowledge: { auto: false, timeoutSeconds: 5 }, flowControl: { enabled: true } },
    );
    this.#service = service;
    const lost = (thrown: unknown) => {
      if (this.#service !== service) return reject(new Refusal("RealtimeRestarting", "Realtime was stopped"));
      this.#service = this.#started = undefined;
      const reason = thrown instanceof Error ? thrown.message : "the connection ended";
      service.destroy().catch(() => {});
      reject(
        new Refusal("UnableToConnectToProject", `Realtime was unable to connect to the project database: ${reason}`),
      );
      if (hasStarted) this.options.onLost(reason);
    };
    let hasStarted = false;
    service.on("start", () => {
      hasStarted = true;
      resolve();
    });
    service.on("error", lost);
    service.on("heartbeat", (lsn: string, _at: number, isAsked: boolean) => {
      if (isAsked) void service.acknowledge(lsn);
    });
    service.on("data", (_lsn: string, message: Pgoutput.Message) => this.#read(message));
    service.subscribe(
      new TemporarySlot({ protoVersion: 1, publicationNames: PUBLICATIONS }),
      `realtime_${crypto.randomUUID().replaceAll("-", "")}`,
    ).then(lost, lost);
    await promise;
  }

  #read(message: Pgoutput.Message): Promise<void> | undefined {
    switch (message.tag) {
      case "begin":
        this.#committedAt = new Date(Number(message.commitTime) / 1000).toISOString();
        return this.options.onBegin(message.xid >>> 0);
      case "relation":
        return message.schema === "realtime" ? undefined : this.options.onDefinition(message);
      case "insert":
      case "update":
      case "delete": {
        const { schema, name, keyColumns } = message.relation;
        if (schema === "realtime" && name === "messages") {
          if (message.tag === "insert") this.#tell(message.new);
          return;
        }
        const row = message.tag === "delete" ? undefined : message.new;
        const key = row && Object.fromEntries(keyColumns.map((column) => [column, row[column]]));
        return this.options.onChange({
          definition: message.relation,
          schema,
          table: name,
          type: message.tag.toUpperCase() as Change["type"],
          committedAt: this.#committedAt,
          row,
          old: message.tag === "insert" ? undefined : message.old ?? message.key ?? key,
        });
      }
    }
  }

  #tell(row: Record<string, string | null>): void {
    const { id, topic, event, payload } = row;
    if (!id || !topic || !event || row.extension !== "broadcast") return;
    this.options.onMessage({
      id,
      topic,
      event,
      isPrivate: row.private === "t",
      payload: payload ?? null,
      bytes: row.binary_payload ?? null,
    });
  }
}
