// postgres_changes: takes what the stream says about published tables to the channels that listen, each as far as its
// caller may see it.
import type postgres from "postgres";
import type { Caller } from "../caller.ts";
import type { Channel } from "./channel.ts";
import { type Binding, type ChangeType, checkBinding, concerns, nextBindingId, readBinding } from "./bindings.ts";
import { changeText } from "./change_text.ts";
import { readRows, type Row, type Texts } from "./rows.ts";
import { type Table, Tables } from "./tables.ts";
import { visibleTo } from "./visibility.ts";

/** One committed change, in the stream's own terms. */
export interface Change {
  schema: string;
  table: string;
  type: ChangeType;
  committedAt: string;
  /** The new row; absent in a DELETE. */
  row?: Texts;
  /** What the stream tells of the old row: its key, or all of it with REPLICA IDENTITY FULL. */
  old?: Texts;
}

export interface Subscription {
  /** The entries with their ids, as the client wants them echoed. */
  answer: Record<string, unknown>[];
  /** Answers what is wrong with the entries, if anything. */
  check(): Promise<string | undefined>;
  /** Begins to deliver what was checked. */
  start(): void;
  end(): void;
}

const BATCH = 200;
/** From here on the stream is told to wait. */
const FULL = 5000;

export class Changes {
  readonly #bindings = new Map<Channel, Binding[]>();
  readonly #tables: Tables;
  #queue: Change[] = [];
  #draining: Promise<void> | undefined;

  constructor(private readonly sql: postgres.Sql, private readonly log: (line: string) => void) {
    this.#tables = new Tables(sql);
  }

  subscribe(channel: Channel, entries: Record<string, unknown>[]): Subscription {
    const answer = entries.map((entry) => ({ ...entry, id: nextBindingId() }));
    let hasEnded = false;
    let checked: Binding[] = [];
    return {
      answer,
      check: async () => {
        try {
          const bindings = answer.map((entry) => readBinding(entry, entry.id));
          const { role } = channel.token.caller;
          for (const binding of bindings) await checkBinding(binding, role, this.#tables, this.sql);
          checked = bindings;
        } catch (thrown) {
          return thrown instanceof Error ? thrown.message : String(thrown);
        }
      },
      start: () => {
        if (!hasEnded) this.#bindings.set(channel, checked);
      },
      end: () => {
        hasEnded = true;
        this.#bindings.delete(channel);
      },
    };
  }

  /** Takes a change in. Answers a promise when the stream should wait for it. */
  push(change: Change): Promise<void> | undefined {
    if (!this.#hasListener(change)) return;
    this.#queue.push(change);
    this.#draining ??= this.#drain();
    if (this.#queue.length > FULL) return this.#draining;
  }

  /** A table's definition may have changed. */
  forgetTables(): void {
    this.#tables.forget();
  }

  #hasListener({ schema, table, type }: Change): boolean {
    for (const bindings of this.#bindings.values()) {
      if (bindings.some((binding) => concerns(binding, schema, table, type))) return true;
    }
    return false;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      // Changes of one table, as many as stand together, in the order of their commits.
      const [first] = this.#queue;
      const other = this.#queue.findIndex((each) => each.schema !== first?.schema || each.table !== first?.table);
      const batch = this.#queue.splice(0, Math.min(other === -1 ? BATCH : other, BATCH));
      try {
        await this.#deliver(batch);
      } catch (thrown) {
        this.log(`postgres_changes: ${thrown instanceof Error ? thrown.message : thrown}`);
        this.#tables.forget();
      }
    }
    // At once with the look at the queue, so that nothing is put there in between and left.
    this.#draining = undefined;
  }

  async #deliver(batch: Change[]): Promise<void> {
    const [first] = batch;
    if (!first) return;
    const table = await this.#tables.read(first.schema, first.table);
    const interested = [...this.#bindings].map(([channel, bindings]) =>
      [channel, bindings.filter((binding) => batch.some((change) => isFor(binding, change)))] as const
    ).filter(([, bindings]) => bindings.length > 0);
    const all = interested.flatMap(([, bindings]) => bindings.flatMap((each) => each.filters));
    const filters = [...new Map(all.map((filter) => [filter.text, filter])).values()];

    // A filter looks at the new row, and in a DELETE at what is known of the old one.
    const [rows, olds] = await Promise.all([
      readRows(this.sql, table, batch.map((change) => change.row ?? change.old ?? {}), filters),
      readRows(this.sql, table, batch.map((change) => change.old ?? keyOf(table, change.row)), []),
    ]);
    const visible = await this.#visibility(table, batch, interested.map(([channel]) => channel));
    for (const [place, change] of batch.entries()) {
      const row = rows[place];
      const old = olds[place];
      if (!row || !old) continue;
      const texts = new Map<string, string>();
      for (const [channel, bindings] of interested) {
        const matching = bindings.filter((each) => isFor(each, change) && passes(each, row));
        if (matching.length === 0 || !visible(channel, place)) continue;
        const select = matching.every((each) => each.select)
          ? matching.flatMap((each) => each.select ?? [])
          : undefined;
        const { role } = channel.token.caller;
        const key = JSON.stringify([role, select]);
        const text = texts.get(key) ?? changeText({ table, change, row: row.json, old: old.json, role, select });
        texts.set(key, text);
        channel.pushText("postgres_changes", `{"ids":${JSON.stringify(matching.map(({ id }) => id))},"data":${text}}`);
      }
    }
  }

  /** Asks the policies, once for all channels of the same person with the same token. */
  async #visibility(table: Table, batch: Change[], channels: Channel[]) {
    const key = table.columns.filter((column) => column.isKey);
    // Whoever stands in neither is not asked for: the table has no policies, or they do not count for the role.
    const callerOf = new Map<Channel, string>();
    const callers = new Map<string, Caller>();
    if (table.hasRls && key.length > 0 && batch.some((change) => change.type !== "DELETE")) {
      for (const channel of channels) {
        const { caller } = channel.token;
        const mayReadKey = key.every((column) => column.readers.includes(caller.role));
        if (caller.role === "service_role" || !mayReadKey) continue;
        const id = JSON.stringify(caller);
        callerOf.set(channel, id);
        callers.set(id, caller);
      }
    }
    const rows = batch.map((change) => change.row ?? {});
    const asked = [...callers.values()];
    const answers = await visibleTo(this.sql, asked, table, rows).catch((thrown) => {
      this.log(`postgres_changes: ${thrown instanceof Error ? thrown.message : thrown}`);
      return [];
    });
    const seen = new Map([...callers.keys()].map((id, index) => [id, answers[index]]));
    return (channel: Channel, place: number): boolean => {
      const id = callerOf.get(channel);
      return id === undefined || batch[place]?.type === "DELETE" || (seen.get(id)?.has(place) ?? false);
    };
  }
}

const isFor = (binding: Binding, { schema, table, type }: Change): boolean => concerns(binding, schema, table, type);

const passes = (binding: Binding, row: Row): boolean => binding.filters.every((filter) => row.passed.has(filter.text));

const keyOf = (table: Table, row: Texts = {}): Texts =>
  Object.fromEntries(table.columns.filter((column) => column.isKey).map(({ name }) => [name, row[name]]));
