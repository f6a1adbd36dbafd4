// What postgres.js's connections run on. It keeps three things beyond a connection's end: the socket it writes to, which it
// forgets before it refuses the queries; what it has not written yet; and the pause until it tries again, which grows to 20
// seconds. A ROLLBACK then throws in a timer, or a connection never says another word. Here the queries are refused first,
// what is left of a former conversation is cut from the next one, and the pause stays short.
import type { Buffer } from "node:buffer";
import { Socket } from "node:net";
import { setImmediate } from "node:timers";

interface Target {
  path?: string | false;
  host: string[];
  port: number[];
}

const PROTOCOL = 196_608;
/** In seconds. */
const PAUSE = 0.05;

/** What the server's answers end with: whether it is in a transaction, while it waits for a query. */
function readyState(bytes: Buffer): string | undefined {
  const isReady = bytes.length >= 6 && bytes.at(-6) === 0x5a && bytes.readInt32BE(bytes.length - 5) === 5;
  return isReady ? String.fromCharCode(bytes.at(-1) ?? 0) : undefined;
}

/** The startup message that the bytes end with, without what stands before it; all of them where there is none. */
function startupIn(bytes: Buffer): Buffer {
  for (let at = 0; at + 8 <= bytes.length; at++) {
    if (bytes.readInt32BE(at) === bytes.length - at && bytes.readInt32BE(at + 4) === PROTOCOL) {
      return bytes.subarray(at);
    }
  }
  return bytes;
}

class DatabaseSocket extends Socket {
  #hasSpoken = false;
  /** The server has let us in; before that postgres.js tries again by itself. */
  #isIn = false;
  /** Undefined while it owes an answer. */
  #state: string | undefined;
  #hasEnded = false;

  constructor() {
    super();
    const write = super.write.bind(this);
    // Not as a method: a socket replaces its own when it is connected, and when the other side has ended.
    Object.defineProperty(this, "write", {
      get: () => (bytes: Buffer, ...rest: []) => {
        this.#state = undefined;
        if (this.#hasEnded) {
          this.#refuse();
          return true;
        }
        const said = this.#hasSpoken ? bytes : startupIn(bytes);
        this.#hasSpoken = true;
        return write(said, ...rest);
      },
      set: () => {},
    });
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === "data") {
      this.#state = readyState(args[0] as Buffer) ?? this.#state;
      this.#isIn ||= this.#state !== undefined;
    }
    if (event !== "close" || !this.#isIn) return super.emit(event, ...args);
    this.#hasEnded = true;
    if (this.#state === "I") return this.#close();
    // Whoever is in a transaction, and knows nothing of this yet, is told when they speak: after the connection was given
    // to somebody else, they would speak in its place.
    if (this.#state === undefined) this.#refuse();
    return true;
  }

  #refuse(): void {
    const closed = Object.assign(new Error("The database closed the connection"), { code: "CONNECTION_CLOSED" });
    if (this.listenerCount("error") > 0) super.emit("error", closed);
    // What follows on the refusal is written a turn later.
    setImmediate(() => setImmediate(() => this.#close()));
  }

  /** Not as an error's: postgres.js waits longer after those. */
  #close(): boolean {
    return super.emit("close", false);
  }
}

/** Options of postgres.js, with what the connection is started with. */
export const onDatabaseSocket = (connection: Record<string, string | number> = {}) => ({
  backoff: () => PAUSE,
  // Blanks, which mean nothing: postgres.js writes at once what is longer than 1,024 bytes, with all that it had kept.
  connection: { ...connection, options: " ".repeat(1024) },
  /** An option that the types do not know. */
  socket({ path, host: [host = "localhost"], port: [port = 5432] }: Target): Socket {
    const socket = new DatabaseSocket();
    // Where TLS is asked for, the certificate is to name it.
    return Object.assign(path ? socket.connect(path) : socket.connect(port, host), { host });
  },
});
