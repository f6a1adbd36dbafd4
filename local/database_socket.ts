// What postgres.js's connections run on. When the server ends one, it forgets the socket first and refuses the queries
// after: the ROLLBACK that a transaction then writes throws in a timer, and the connection never works again. Here the
// queries are refused first, and what is written then goes nowhere.
import { Socket } from "node:net";
import { setImmediate } from "node:timers";

interface Target {
  path?: string | false;
  host: string[];
  port: number[];
}

/** What ends the server's answers: it waits for a query. The first says that it has let us in. */
const isReady = (bytes: Uint8Array): boolean => bytes.at(-6) === 0x5a && bytes.at(-2) === 5;

class DatabaseSocket extends Socket {
  #isIn = false;

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === "data" && !this.#isIn) this.#isIn = isReady(args[0] as Uint8Array);
    // Before that postgres.js tries again by itself.
    if (event !== "close" || !this.#isIn) return super.emit(event, ...args);
    const closed = Object.assign(new Error("The database closed the connection"), { code: "CONNECTION_CLOSED" });
    if (this.listenerCount("error") > 0) super.emit("error", closed);
    // What follows on the refusal is written a turn later.
    setImmediate(() => setImmediate(() => super.emit(event, ...args)));
    return true;
  }
}

/** An option of postgres.js that its types do not know. */
export const onDatabaseSocket = {
  socket({ path, host: [host = "localhost"], port: [port = 5432] }: Target): Socket {
    const socket = new DatabaseSocket();
    // Where TLS is asked for, the certificate is to name it.
    return Object.assign(path ? socket.connect(path) : socket.connect(port, host), { host });
  },
};
