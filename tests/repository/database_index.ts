// The index of the database: for everything that is there, the migration that defines it now and those that changed it since.
import { connect } from "../../local/platform.ts";

const MIGRATIONS = new URL("../../supabase/migrations/", import.meta.url);

const KINDS = ["table", "view", "type", "function", "trigger", "policy"] as const;
type Kind = typeof KINDS[number];

interface Definition {
  file: string;
  changedBy: string[];
}

type Definitions = Map<string, Definition>;

/**
 * A statement that makes, changes, renames or drops something. Triggers and policies are named with their table, functions
 * with the number of arguments they take: with another number it is another function.
 */
const STATEMENT = new RegExp(
  String
    .raw`^\s*(create|alter|drop)(?: or replace)? (?:(table|view|type|function) ([\w.]+)(?:\s*\(((?:[^()]|\([^()]*\))*)\))?|` +
    String.raw`(?:constraint )?(trigger|policy) ("[^"]+"|\w+)[^;]*?\son ([\w.]+))(?:[^;]*?\brename to (\w+))?`,
  "gim",
);

/** What the migrations, in their order, leave behind. */
async function definitions(): Promise<Record<Kind, Definitions>> {
  const found = Object.fromEntries(KINDS.map((kind) => [kind, new Map()])) as Record<Kind, Definitions>;
  const files = (await Array.fromAsync(Deno.readDir(MIGRATIONS))).map(({ name }) => name).sort();
  for (const file of files) {
    const text = await Deno.readTextFile(new URL(file, MIGRATIONS));
    // Without bodies of functions; those of `do` and `execute` stay, as they run here.
    const outside = text.replaceAll(/--.*$/gm, "").replaceAll(/\bas\s+\$(\w*)\$[\s\S]*?\$\1\$/g, "");
    for (const match of outside.matchAll(STATEMENT)) {
      const [, verb = "", plain, name = "", taken = "", onTable, own = "", table, renamed] = match;
      // PostgreSQL keeps the first 63 bytes of a name.
      const key = table
        ? `${own.replaceAll('"', "").slice(0, 63)} on ${table}`
        : plain === "function"
        ? `${name}/${arity(taken)}`
        : name;
      follow(found[(plain ?? onTable) as Kind], verb.toLowerCase(), key, file, renamed);
    }
  }
  return found;
}

function arity(list: string): number {
  const alone = list.replaceAll(/\([^()]*\)/g, "");
  return alone.split(",").filter((each) => each.trim() !== "" && !/^\s*out\s/i.test(each)).length;
}

function follow(all: Definitions, verb: string, key: string, file: string, renamed: string | undefined): void {
  const known = all.get(key);
  if (verb === "create") all.set(key, { file, changedBy: [] });
  if (verb === "drop") all.delete(key);
  if (verb !== "alter" || !known) return;
  if (file !== known.file && !known.changedBy.includes(file)) known.changedBy.push(file);
  if (!renamed) return;
  all.delete(key);
  all.set(key.replace(/\w+(?=\/\d+$|$)/, renamed), known);
}

/** What is there, in our schemas and on the platform's tables, under the names that `definitions` gives. */
async function inDatabase(databaseUrl: string): Promise<{ kind: Kind; name: string }[]> {
  const sql = connect(databaseUrl);
  const rows = await sql<{ kind: Kind; name: string }[]>`
    with ours as (select n.oid, n.nspname from pg_namespace as n where n.nspname in ('public', 'private'))
    select kind, name from (
      select case c.relkind when 'v' then 'view' when 'c' then 'type' else 'table' end, o.nspname || '.' || c.relname
        from pg_class as c join ours as o on o.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'c')
      union all
      select 'function', o.nspname || '.' || p.proname || '/' || p.pronargs from pg_proc as p join ours as o on o.oid = p.pronamespace
      union all
      select 'trigger', t.tgname || ' on ' || n.nspname || '.' || c.relname
        from pg_trigger as t join pg_class as c on c.oid = t.tgrelid join pg_namespace as n on n.oid = c.relnamespace
        join pg_proc as p on p.oid = t.tgfoid join ours as o on o.oid = p.pronamespace
        where not t.tgisinternal
      union all
      select 'policy', policyname || ' on ' || schemaname || '.' || tablename from pg_policies
        where schemaname in ('public', 'private', 'storage', 'realtime')
    ) as everything (kind, name)
    group by kind, name
    order by name collate "C"`;
  await sql.end();
  return rows;
}

/** How a page names it: where several functions share a name, the number of arguments tells them apart. */
function labelOf(name: string, present: { name: string }[]): string {
  const [bare = "", count] = name.split("/");
  const isShared = present.filter((each) => each.name.split("/")[0] === bare).length > 1;
  return count && isShared ? `${bare} (${count === "1" ? "1 argument" : `${count} arguments`})` : bare;
}

/** The page. Throws when something is there that no migration was seen to define. */
export async function databasePage(databaseUrl: string): Promise<string> {
  const [found, present] = await Promise.all([definitions(), inDatabase(databaseUrl)]);
  const short = (file: string) => `\`${file.replace(/\.sql$/, "")}\``;
  const tables = KINDS.map((kind) => {
    const rows = present.filter((each) => each.kind === kind).map(({ name }) => {
      const definition = found[kind].get(name);
      if (!definition) throw new Error(`No migration defines the ${kind} ${name}: teach database_index.ts its words`);
      return `| ${labelOf(name, present)} | ${short(definition.file)} | ${
        definition.changedBy.map(short).join(", ")
      } |`;
    });
    return [
      `## ${kind === "policy" ? "Policies" : `${kind[0]?.toUpperCase()}${kind.slice(1)}s`}`,
      [
        `| ${kind} | defined in | changed since in |`,
        "| --- | --- | --- |",
        ...rows,
      ].join("\n"),
    ].join("\n\n");
  });
  return [
    "<!-- GENERATED by `deno task gen` from the migrations. Do not edit. -->",
    "# Where the database is defined",
    "Migrations that have landed are never edited, so a function may be in several of them. This names the file of " +
    "`supabase/migrations` that defines each thing **now**; what stands in others under the same name is history. Where " +
    "a later file changed a part (a column, a policy's condition, a name), it is named beside it, the last one last.",
    ...tables,
  ].join("\n\n") + "\n";
}
