// Realtime: broadcast, presence and postgres_changes over WebSockets, for unmodified clients. What it does not do like the
// platform stands in ../README.md.
import type { Caller } from "../caller.ts";
import type { Keys } from "../keys.ts";
import { connect } from "../platform.ts";
import { messageOf } from "../user_error.ts";
import { Changes } from "./changes.ts";
import { broadcastOverHttp } from "./http.ts";
import { Hub } from "./hub.ts";
import { Memberships } from "./memberships.ts";
import { Presence } from "./presence.ts";
import { Replication } from "./replication.ts";
import { Snapshots } from "./snapshots.ts";
import type { Services } from "./services.ts";
import { Socket } from "./socket.ts";
import { Refusal, tokenReader } from "./tokens.ts";
import { Turns } from "./turns.ts";

export interface RealtimeService {
  /** Why it is off, when it is. */
  off?: string;
  /** Answers the path /realtime/v1/websocket. */
  connect(request: Request, url: URL): Promise<Response>;
  /** Answers the other paths below /realtime/v1. */
  fetch(request: Request, url: URL, caller: Caller): Promise<Response>;
  stop(): Promise<void>;
}

export interface RealtimeOptions {
  /** As a superuser. */
  databaseUrl: string;
  keys: Keys;
  log(line: string): void;
}

const MAX_SOCKETS = 1000;
/** Connections, and how many of them ask the policies: one is always there for the changes. */
const [CONNECTIONS, ASKED_AT_ONCE] = [5, 4];
/** The longest that the database may take to decide filters: all together, and where that was too long, each alone. */
const FILTER_MS = 1000;

/** A service that is off when the database does not write what it is made from. */
export async function startRealtime({ databaseUrl, keys, log }: RealtimeOptions): Promise<RealtimeService> {
  const sql = connect(databaseUrl, { max: CONNECTIONS, idle_timeout: 60 });
  const [setting] = await sql`select current_setting('wal_level') as level`;
  if (setting?.level !== "logical") {
    await sql.end();
    return switchedOff(
      `Realtime is off: the database has wal_level = ${setting?.level}. Set wal_level = logical in its configuration, restart it, and start again.`,
    );
  }

  const sockets = new Set<Socket>();
  const hub = new Hub();
  const withLimit = { idle_timeout: 60, max: 2, connection: { statement_timeout: FILTER_MS } };
  const [limited, checking] = [connect(databaseUrl, withLimit), connect(databaseUrl, withLimit)];
  const lose = (reason: string) => {
    log(`realtime: the stream of changes broke off: ${reason}`);
    // Clients come back, join again and read what they may have missed.
    for (const socket of [...sockets]) socket.close(1012, "the stream of changes broke off");
  };
  const changes = new Changes({ sql, limited }, checking, log, lose);
  const snapshots = new Snapshots(sql);
  const memberships = new Memberships(hub, log);
  const replication = new Replication({
    databaseUrl,
    onBegin: (xid) => snapshots.visible(xid),
    onMessage({ id, topic, event, isPrivate, payload, bytes }) {
      const meta = { id };
      if (payload !== null) hub.broadcastText({ topic, isPrivate }, { event, payloadText: payload, meta });
      else if (bytes) {
        try {
          hub.broadcast({ topic, isPrivate }, { event, payload: Uint8Array.fromHex(bytes.slice(2)), meta });
        } catch (thrown) {
          log(`realtime: the message ${id} was not sent: ${messageOf(thrown)}`);
        }
      }
    },
    onChange(change) {
      if (change.type === "DELETE") memberships.mayHaveChanged();
      return changes.push(change);
    },
    onDefinition: (definition) => changes.define(definition),
    onLost: lose,
  });
  const readToken = tokenReader(keys);
  const turns = new Turns(ASKED_AT_ONCE);
  const services: Services = {
    sql,
    hub,
    presence: new Presence(hub, log),
    changes,
    replication,
    turns,
    readToken,
    log,
  };

  return {
    async connect(request, url) {
      const text = request.headers.get("x-api-key") ?? url.searchParams.get("apikey");
      if (!text) return Response.json({ error: "API key is missing" }, { status: 401 });
      if (sockets.size >= MAX_SOCKETS) return Response.json({ error: "Too many connected users" }, { status: 429 });
      try {
        const token = await readToken(text);
        if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
          return Response.json({ error: "This is a WebSocket" }, { status: 426 });
        }
        // Nothing may fail, and the request not be read, between the upgrade and its response.
        const headers = Object.fromEntries(request.headers);
        const version = url.searchParams.get("vsn") === "1.0.0" ? 1 : 2;
        const { socket: web, response } = Deno.upgradeWebSocket(request, { idleTimeout: 60 });
        const socket = new Socket(web, version, token, headers, services, (closed) => {
          sockets.delete(closed);
          if (sockets.size === 0) replication.release();
        });
        sockets.add(socket);
        replication.keep();
        return response;
      } catch (thrown) {
        if (!(thrown instanceof Refusal)) throw thrown;
        const error = thrown.code === "InvalidJWTToken" ? "Token has expired" : thrown.message;
        return Response.json({ error }, { status: 401 });
      }
    },
    fetch: (request, url, caller) => broadcastOverHttp(hub, sql, { request, url, caller, turns }),
    async stop() {
      memberships.stop();
      for (const socket of [...sockets]) socket.close(1012, "the stack stops");
      await replication.stop();
      await Promise.all([sql, limited, checking].map((each) => each.end({ timeout: 2 })));
    },
  };
}

function switchedOff(off: string): RealtimeService {
  const answer = () => Promise.resolve(Response.json({ error: off }, { status: 503 }));
  return { off, connect: answer, fetch: answer, stop: () => Promise.resolve() };
}
