// Whether a transaction that the stream has told of can be seen yet. PostgreSQL hands a commit to the stream a moment
// before other sessions see it: whoever was woken in that moment and read the tables would find nothing new.
import type postgres from "postgres";

/** After so long whatever holds a transaction back is not ours to wait for. */
const PATIENCE_MS = 5000;
const PAUSE_MS = 1;

/** Numbers of transactions wrap around at 32 bits: which of two came first. */
const isBefore = (one: number, other: number): boolean => one !== other && ((other - one) >>> 0) < 2 ** 31;

export class Snapshots {
  /** The newest snapshot taken: everything before `limit` that is not in `open` has ended. */
  #limit: number | undefined;
  #open = new Set<number>();

  constructor(private readonly sql: postgres.Sql) {}

  /** Undefined when it can be seen already. */
  visible(xid: number): Promise<void> | undefined {
    return this.#hasEnded(xid) ? undefined : this.#wait(xid);
  }

  #hasEnded(xid: number): boolean {
    return this.#limit !== undefined && isBefore(xid, this.#limit) && !this.#open.has(xid);
  }

  async #wait(xid: number): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (!this.#hasEnded(xid) && Date.now() < deadline) {
      // One snapshot mostly answers for many transactions that are waiting behind this one. A connection that ends while it
      // is asked for is followed by another.
      const [row] = await this.sql<{ limit: string; open: string[] }[]>`
        select pg_snapshot_xmax(s)::text as limit, array(select x::text from pg_snapshot_xip(s) as x) as open
        from pg_current_snapshot() as s`.catch(() => []);
      if (row) {
        this.#limit = low(row.limit);
        this.#open = new Set(row.open.map(low));
      }
      if (!this.#hasEnded(xid)) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

const low = (xid8: string): number => Number(BigInt.asUintN(32, BigInt(xid8)));
