// What has to be known of a table to announce its changes: columns and types, its key, who may see which column, and
// whether row level security is on.
//
// A change holds the columns that its table had then, and the catalog answers for now: names and types are the stream's,
// key and rights those of now. What a column is called now is found by its number, which a new name leaves as it is.
import type postgres from "postgres";

export interface Column {
  name: string;
  /** As clients are told, e.g. `timestamptz`. */
  type: string;
  /** As a cast names it. */
  cast: string;
  isKey: boolean;
  /** The API roles that may select it. */
  readers: string[];
  /** As the table has it now; absent where it has gone. */
  now?: { name: string; cast: string };
}

export interface Table {
  /** Both as they are now. */
  schema: string;
  name: string;
  hasRls: boolean;
  columns: Column[];
  /** Whether nobody can say which columns are the key now: they were changed again before they could be looked up. */
  hasLostKey: boolean;
}

/** A table as the stream describes it, once for all changes until it is another. */
export interface Definition {
  relationOid: number;
  columns: { name: string; typeOid: number }[];
}

interface Present {
  schema: string;
  name: string;
  hasRls: boolean;
  columns: (Column & { number: number })[];
}

interface Type {
  oid: string;
  type: string;
  cast: string;
}

/** How long a change of grants or of row level security may go unnoticed. */
const REFRESH_MS = 2000;

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export class Tables {
  /** By the table's oid; replaced as a whole, so that what was asked for earlier is not kept later. */
  #known = new Map<number, { present: Present; readAt: number }>();
  /** The numbers of a definition's columns, by name, as soon as it was met. */
  readonly #numbers = new WeakMap<Definition, Map<string, number>>();
  #types = new WeakMap<Definition, Map<number, Type>>();
  /** What a table's columns were ever seen to be called, by its oid. */
  readonly #names = new Map<number, Map<string, number>>();

  constructor(private readonly sql: postgres.Sql) {}

  /** Forgets what may have changed. */
  forget(): void {
    this.#known = new Map();
    this.#types = new WeakMap();
  }

  /** Takes in a definition that the stream begins to use: its names are those that the table has, or had a moment ago. */
  async define(definition: Definition): Promise<void> {
    this.forget();
    const present = await this.#now(definition);
    if (present) this.#numbers.set(definition, this.#numbersIn(present, definition));
  }

  /** The table of a change; undefined where it has gone. */
  async of(definition: Definition): Promise<Table | undefined> {
    const [present, types] = await Promise.all([this.#now(definition), this.#typesOf(definition)]);
    if (!present) return undefined;
    const numbers = this.#numbers.get(definition) ?? this.#numbersIn(present, definition);
    this.#numbers.set(definition, numbers);
    const byNumber = new Map(present.columns.map((column) => [column.number, column]));
    const columns = definition.columns.map(({ name, typeOid }): Column => {
      // A type that has gone is told of as text.
      const { type = "text", cast = "text" } = types.get(typeOid >>> 0) ?? {};
      const now = byNumber.get(numbers.get(name) ?? 0);
      return { name, type, cast, isKey: now?.isKey ?? false, readers: now?.readers ?? [], now };
    });
    // All of the key is asked for: what the stream does not tell of it is nobody's row.
    const untold = present.columns.filter((each) => each.isKey && !columns.some(({ now }) => now === each));
    const hasLostKey = untold.length > 0 && columns.some(({ now }) => !now);
    return { ...present, columns: [...columns, ...untold], hasLostKey };
  }

  async #now({ relationOid }: Definition): Promise<Present | undefined> {
    const [oid, known] = [relationOid >>> 0, this.#known];
    const kept = known.get(oid);
    if (kept && Date.now() - kept.readAt < REFRESH_MS) return kept.present;
    const [present] = await this.#look(this.sql`c.oid = ${oid}`);
    if (!present) return undefined;
    known.set(oid, { present, readAt: Date.now() });
    const names = this.#names.get(oid) ?? new Map<string, number>();
    for (const { name, number } of present.columns) names.set(name, number);
    this.#names.set(oid, names);
    return present;
  }

  /** What the stream's columns are numbered: it tells of their names and order alone. */
  #numbersIn({ columns }: Present, { relationOid, columns: told }: Definition): Map<string, number> {
    // No number is given twice: where none is missing no column has gone, and the order says it.
    const isByOrder = columns.length === told.length && columns.at(-1)?.number === columns.length;
    // The stream may repeat itself after the name has changed: it was seen before then.
    return isByOrder
      ? new Map(told.map(({ name }, place) => [name, place + 1]))
      : new Map(this.#names.get(relationOid >>> 0));
  }

  async #typesOf(definition: Definition): Promise<Map<number, Type>> {
    const cache = this.#types;
    const kept = cache.get(definition);
    if (kept) return kept;
    const oids = definition.columns.map(({ typeOid }) => typeOid >>> 0);
    // A domain may have become stricter than a value that it holds: such a value is read as what the domain is made of.
    const found = await this.sql<Type[]>`
      with recursive made (oid, type, of, base) as (
        select oid, typname, oid, typbasetype from pg_type where oid = any (${oids}::oid[])
        union all
        select m.oid, m.type, t.oid, t.typbasetype from made as m join pg_type as t on t.oid = m.base
      )
      select oid::text, type, format_type(of, -1) as cast from made where base = 0`;
    const types = new Map(found.map((type) => [Number(type.oid), type]));
    cache.set(definition, types);
    return types;
  }

  /** Those that a table of that name has now. */
  async columns(schema: string, name: string): Promise<Column[]> {
    const [present] = await this.#look(this.sql`n.nspname = ${schema} and c.relname = ${name}`);
    return present?.columns ?? [];
  }

  #look(which: postgres.PendingQuery<postgres.Row[]>) {
    return this.sql<Present[]>`
      select n.nspname as schema, c.relname as name, c.relrowsecurity as "hasRls", (
        select coalesce(json_agg(json_build_object(
          'number', a.attnum, 'name', a.attname, 'type', t.typname, 'cast', format_type(a.atttypid, -1),
          'isKey', coalesce(a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]), false),
          'readers', (
            select coalesce(json_agg(r.name), '[]') from unnest(array['anon', 'authenticated', 'service_role']) as r (name)
            where has_column_privilege(r.name, c.oid, a.attnum, 'select')
          )
        ) order by a.attnum), '[]')
        from pg_attribute as a join pg_type as t on t.oid = a.atttypid
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ) as columns
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      left join pg_index as i on i.indrelid = c.oid and i.indisprimary
      where ${which}`;
  }

  /**
   * Whether the publication has a table that a binding names; without a name any of its schema. The view
   * pg_publication_tables is not asked: it opens every published table, so it waits for whoever changes one, and fails
   * where one is dropped meanwhile.
   */
  async isPublished(schema: string, name: string | undefined): Promise<boolean> {
    const [found] = await this.sql`
      select from pg_publication as p
      join pg_class as c on c.relkind = 'r' and c.relpersistence = 'p' and c.oid >= 16384
      join pg_namespace as n on n.oid = c.relnamespace
      where p.pubname = 'supabase_realtime' and ${schema}::text in (n.nspname::text, '*')
        and ${name ?? "*"}::text in (c.relname::text, '*')
        and (p.puballtables or exists (
          select from pg_class as a
          where a.oid in (select c.oid union all select relid from pg_partition_ancestors(c.oid)) and (
            exists (select from pg_publication_rel where prpubid = p.oid and prrelid = a.oid) or
            exists (select from pg_publication_namespace where pnpubid = p.oid and pnnspid = a.relnamespace))))
      limit 1`;
    return found !== undefined;
  }
}
