// postgres_changes: takes what the stream says about published tables to the channels that listen, each as far as its
// caller may see it.
import type postgres from "postgres";
import type { Caller } from "../caller.ts";
import type { Channel } from "./channel.ts";
import { type Binding, type ChangeType, checkBinding, concerns, nextBindingId, readBinding } from "./bindings.ts";
import { changeText } from "./change_text.ts";
import { type Asked, type Connections, readBatch, type Reading } from "./isolation.ts";
import { isOutOfReach } from "./out_of_reach.ts";
import type { Row, Texts } from "./rows.ts";
import { messageOf } from "../user_error.ts";
import { type Definition, type Table, Tables } from "./tables.ts";
import { personOf, Turns } from "./turns.ts";
import { visibleTo } from "./visibility.ts";

/** One committed change, in the stream's own terms. */
export interface Change {
  definition: Definition;
  /** Schema and table as they were called then. */
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
  /** Answers what is wrong with the entries, if anything. Throws where the database could not be asked. */
  check(): Promise<string | undefined>;
  /** Begins to deliver what was checked. */
  start(): void;
  end(): void;
}

/** What is read with one statement, so that only a filter can make it slow. */
const BATCH = 200;
const BATCH_CHARACTERS = 4_000_000;
/** As many as there are connections for it. */
const CHECKED_AT_ONCE = 2;
/** From here on the stream is told to wait. */
const FULL = 5000;
/** How often a batch is tried: definitions that change while it is read fit again once they are read anew. */
const TRIES = 5;

export class Changes {
  readonly #bindings = new Map<Channel, Binding[]>();
  readonly #tables: Tables;
  /** For looks at what new subscriptions ask for: a pattern may take its time. */
  readonly #turns = new Turns(CHECKED_AT_ONCE);
  #queue: Change[] = [];
  #draining: Promise<void> | undefined;

  constructor(
    private readonly connections: Connections,
    /** To look at what a new subscription asks for; it does not hold up those that there are. */
    private readonly checking: postgres.Sql,
    private readonly log: (line: string) => void,
    /** Changes were lost: whoever listens has to read again. */
    private readonly onLost: (reason: string) => void,
  ) {
    this.#tables = new Tables(connections.sql);
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
          const person = personOf(channel.token.caller);
          for (const binding of bindings) {
            if (hasEnded) break;
            await this.#turns.take(person, () => checkBinding(binding, role, this.#tables, this.checking));
          }
          checked = bindings;
        } catch (thrown) {
          if (isOutOfReach(thrown)) throw thrown;
          return messageOf(thrown);
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

  /** The stream begins with a table, or goes on with another definition of it. */
  async define(definition: Definition): Promise<void> {
    // Where that fails, it is looked up for the first change.
    await this.#tables.define(definition).catch((thrown) => this.log(`postgres_changes: ${messageOf(thrown)}`));
  }

  #hasListener({ schema, table, type }: Change): boolean {
    for (const bindings of this.#bindings.values()) {
      if (bindings.some((binding) => concerns(binding, schema, table, type))) return true;
    }
    return false;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      await this.#tryToDeliver(this.#nextBatch());
    }
    // At once with the look at the queue, so that nothing is put there in between and left.
    this.#draining = undefined;
  }

  async #tryToDeliver(batch: Change[]): Promise<void> {
    for (let left = TRIES - 1; left >= 0; left--) {
      try {
        // All is sent at the end, so that nothing is sent twice.
        return await this.#deliver(batch, left === 0);
      } catch (thrown) {
        // Nobody's filter: the table has changed meanwhile, or a connection ended.
        this.log(`postgres_changes: ${messageOf(thrown)}`);
        this.#tables.forget();
        if (left > 0) continue;
        if (isOutOfReach(thrown)) this.onLost(messageOf(thrown));
        else this.#joinAgain(batch);
      }
    }
  }

  /** Of changes that nobody can tell of: who listens to their table joins anew, and knows that it has to be read again. */
  #joinAgain(batch: Change[]): void {
    for (const [channel, bindings] of [...this.#bindings]) {
      if (!batch.some((change) => bindings.some((binding) => isFor(binding, change)))) continue;
      channel.joinAgain("a channel joins again, as a table that it listens to has changed under its changes");
    }
  }

  /** Takes changes of one table from the queue, as many as stand together, in the order of their commits. */
  #nextBatch(): Change[] {
    const [first] = this.#queue;
    let characters = 0;
    const end = this.#queue.findIndex((each, place) => {
      characters += sizeOf(each);
      const isOther = each.definition !== first?.definition;
      return isOther || place === BATCH || (place > 0 && characters > BATCH_CHARACTERS);
    });
    return this.#queue.splice(0, end === -1 ? this.#queue.length : end);
  }

  async #deliver(given: Change[], isLast: boolean): Promise<void> {
    const [first] = given;
    if (!first) return;
    const table = await this.#tables.of(first.definition);
    // Who may know of it nobody can say any more.
    if (!table) return this.log(`postgres_changes: ${first.schema}.${first.table} was dropped before all was told`);
    const interested = [...this.#bindings].map(([channel, bindings]) =>
      [channel, bindings.filter((binding) => given.some((change) => isFor(binding, change)))] as const
    ).filter(([, bindings]) => bindings.length > 0);

    const [news, olds] = await Promise.all([
      readBatch(this.connections, table, given.map(newestOf), []),
      readBatch(this.connections, table, given.map((change) => change.old ?? keyOf(table, change.row)), []),
    ]);
    const batch = given.flatMap((change, place) => {
      const [row, old] = [news.rows[place], olds.rows[place]];
      return row && old && !table.hasLostKey ? [{ change, row, old }] : [];
    });
    const untold = new Error(`The definition of ${first.schema}.${first.table} has changed`);
    if (batch.length < given.length && !isLast) throw untold;
    const changes = batch.map(({ change }) => change);
    const visible = await this.#visibility(table, changes, interested.map(([channel]) => channel), isLast);
    const asked = askedBy(interested, changes, visible);
    const decided: Reading = asked.length > 0
      ? await readBatch(this.connections, table, changes.map(newestOf), asked)
      : { rows: batch.map(({ row }) => row), failures: new Map() };
    const isUntold = batch.length < given.length || decided.rows.includes(undefined);
    if (isUntold && !isLast) throw untold;
    this.#endFailed(first, decided.failures);
    for (const [place, { change, row, old }] of batch.entries()) {
      const texts = new Map<string, string>();
      for (const [channel, bindings] of interested) {
        const matching = bindings.filter((each) => isFor(each, change) && passes(each, decided.rows[place]));
        if (matching.length === 0 || !visible(channel, place)) continue;
        const { role } = channel.token.caller;
        for (const group of bySelect(matching)) {
          const select = group[0]?.select;
          const key = JSON.stringify([role, select]);
          const text = texts.get(key) ?? changeText({ table, change, row: row.json, old: old.json, role, select });
          texts.set(key, text);
          channel.pushText("postgres_changes", `{"ids":${JSON.stringify(group.map(({ id }) => id))},"data":${text}}`);
        }
      }
    }
    if (isUntold) this.#joinAgain(given);
  }

  /** Ends the subscriptions whose filter the database could not decide, and says so. */
  #endFailed({ schema, table }: Change, persons: Map<string, Map<string, string>>): void {
    for (const [channel, bindings] of this.#bindings) {
      const failures = persons.get(personOf(channel.token.caller));
      if (!failures) continue;
      const failed = bindings.filter((each) =>
        each.schema === schema && each.table === table && each.filters.some(({ text }) => failures.has(text))
      );
      if (failed.length === 0) continue;
      this.#bindings.set(channel, bindings.filter((each) => !failed.includes(each)));
      for (const { text } of failed.flatMap((each) => each.filters).filter(({ text }) => failures.has(text))) {
        channel.changesFailed(
          `The subscription to ${schema}.${table} with the filter ${text} has ended: ${failures.get(text)}`,
        );
      }
    }
  }

  /** Asks the policies, once for all channels of the same person with the same token. */
  async #visibility(table: Table, batch: Change[], channels: Channel[], isLast: boolean) {
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
    const answers = await visibleTo(this.connections.sql, asked, table, rows, isLast);
    const seen = new Map([...callers.keys()].map((id, index) => [id, answers[index]]));
    return (channel: Channel, place: number): boolean => {
      const id = callerOf.get(channel);
      return id === undefined || batch[place]?.type === "DELETE" || (seen.get(id)?.has(place) ?? false);
    };
  }
}

const isFor = (binding: Binding, { schema, table, type }: Change): boolean => concerns(binding, schema, table, type);

const passes = ({ filters }: Binding, row: Row | undefined): boolean =>
  row !== undefined && filters.every(({ text }) => row.passed.has(text));

/** What a filter looks at: the new row, and in a DELETE what is known of the old one. */
const newestOf = ({ row, old }: Change): Texts => row ?? old ?? {};

/**
 * Each filter with the changes that somebody who asks with it may see. Tried on others it would tell of them: that it
 * took too long there is told, and how long it took is felt by all who wait.
 */
function askedBy(
  interested: (readonly [Channel, Binding[]])[],
  changes: Change[],
  visible: (channel: Channel, place: number) => boolean,
): Asked[] {
  const asked = new Map<string, Asked>();
  for (const [channel, bindings] of interested) {
    const filtered = bindings.filter(({ filters }) => filters.length > 0);
    if (filtered.length === 0) continue;
    const person = personOf(channel.token.caller);
    for (const [place, change] of changes.entries()) {
      if (!visible(channel, place)) continue;
      for (const filter of filtered.flatMap((each) => isFor(each, change) ? each.filters : [])) {
        const { places } = asked.get(filter.text) ?? { places: new Map<string, Set<number>>() };
        asked.set(filter.text, { filter, places });
        places.set(person, (places.get(person) ?? new Set()).add(place));
      }
    }
  }
  return [...asked.values()];
}

/** Those that asked for the same columns are told with one message. */
const bySelect = (bindings: Binding[]): Iterable<Binding[]> =>
  bindings.length === 1 ? [bindings] : Map.groupBy(bindings, ({ select }) => JSON.stringify(select)).values();

const sizeOf = ({ row, old = {} }: Change): number =>
  Object.values(row ?? old).reduce((sum, text) => sum + (text?.length ?? 0), 0);

const keyOf = (table: Table, row: Texts = {}): Texts =>
  Object.fromEntries(table.columns.filter((column) => column.isKey).map(({ name }) => [name, row[name]]));
