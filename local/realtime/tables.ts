// What has to be known of a table to announce its changes: columns and types, its key, who may see which column, and
// whether row level security is on.
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
}

export interface Table {
  schema: string;
  name: string;
  hasRls: boolean;
  columns: Column[];
}

/** How long a change of grants or of row level security may go unnoticed. */
const REFRESH_MS = 2000;

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export class Tables {
  readonly #known = new Map<string, { table: Table; readAt: number }>();

  constructor(private readonly sql: postgres.Sql) {}

  /** Forgets everything: the replication stream tells of a table whose definition has changed. */
  forget(): void {
    this.#known.clear();
  }

  async read(schema: string, name: string): Promise<Table> {
    const key = JSON.stringify([schema, name]);
    const known = this.#known.get(key);
    if (known && Date.now() - known.readAt < REFRESH_MS) return known.table;
    const [table] = await this.sql<Table[]>`
      select n.nspname as schema, c.relname as name, c.relrowsecurity as "hasRls", (
        select json_agg(json_build_object(
          'name', a.attname, 'type', t.typname, 'cast', format_type(a.atttypid, -1),
          'isKey', coalesce(a.attnum = any (i.indkey), false),
          'readers', (
            select coalesce(json_agg(r.name), '[]') from unnest(array['anon', 'authenticated', 'service_role']) as r (name)
            where has_column_privilege(r.name, c.oid, a.attnum, 'select')
          )
        ) order by a.attnum)
        from pg_attribute as a join pg_type as t on t.oid = a.atttypid
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      ) as columns
      from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
      left join pg_index as i on i.indrelid = c.oid and i.indisprimary
      where n.nspname = ${schema} and c.relname = ${name}`;
    if (!table) throw new Error(`Cannot announce changes of ${schema}.${name}: there is no such table`);
    this.#known.set(key, { table, readAt: Date.now() });
    return table;
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
