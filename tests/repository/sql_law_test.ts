// The SQL law: what must hold for every table, function and policy of the migrations, whoever wrote them.
import { assertEquals } from "@std/assert";
import { ERROR_CODES } from "../../shared/errors.ts";
import { shareDatabase } from "../support/database.ts";

const db = await shareDatabase();

/** One law: a query for whoever breaks it, which must find nobody. */
function law(claim: string, query: string): void {
  Deno.test(claim, async () => {
    const offenders = await db.sql.unsafe<{ name: string }[]>(query);
    assertEquals(offenders.map(({ name }) => name), []);
  });
}

const OURS = "('public'::regnamespace, 'private'::regnamespace)";
const FUNCTIONS = `pg_proc as p where p.pronamespace in ${OURS}`;
// A function of a table's row is a computed field of that table, and no door.
const DOORS = `${FUNCTIONS} and p.pronamespace = 'public'::regnamespace and not exists (
  select from pg_class as c where c.reltype = any (p.proargtypes::oid[]) and p.pronargs = 1)`;
// Platform policies are none of ours: on its tables, only those that migrations made are looked at.
const POLICIES = `pg_policies as p where p.schemaname in ('public', 'private', 'storage', 'realtime')`;

law(
  "row level security is on for every table of the API",
  `select c.oid::regclass::text as name from pg_class as c
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relrowsecurity`,
);

law(
  "every view runs as whoever asks",
  `select c.oid::regclass::text as name from pg_class as c
   where c.relnamespace in ${OURS} and c.relkind = 'v' and not coalesce('security_invoker=true' = any (c.reloptions), false)`,
);

law(
  "no table of the API lacks a policy",
  `select c.oid::regclass::text as name from pg_class as c
   where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
     and not exists (select from pg_policy as p where p.polrelid = c.oid)`,
);

law(
  "every function has an empty search_path",
  `select p.oid::regprocedure::text as name from ${FUNCTIONS}
   and not coalesce(p.proconfig && array['search_path=""', 'search_path='], false)`,
);

law(
  "no function of the API is SECURITY DEFINER",
  `select p.oid::regprocedure::text as name from ${FUNCTIONS} and p.pronamespace = 'public'::regnamespace and p.prosecdef`,
);

law(
  "nobody outside the list of API roles can execute a function: not public, not anon",
  `select p.oid::regprocedure::text as name from ${FUNCTIONS}
   and exists (
     select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
     where a.privilege_type = 'EXECUTE' and a.grantee in (0, 'anon'::regrole)
   )`,
);

law(
  "every door is one call into the engine, and takes its names from the contract: no p_ in front",
  `select p.oid::regprocedure::text as name from ${DOORS}
   and (p.prosrc !~ '^\\s*begin\\s+return private\\.\\w+\\([^;]*\\);\\s*end\\s*$' or array_to_string(p.proargnames, ' ') ~ '(^| )p_'
     or p.prorettype <> 'jsonb'::regtype)`,
);

law(
  "every door stands before a function of the same name in the engine",
  `select p.oid::regprocedure::text as name from ${DOORS}
   and not exists (
     select from pg_proc as q where q.pronamespace = 'private'::regnamespace and q.proname in (p.proname, p.proname || '_as_caller')
   )`,
);

law(
  "the engine's parameters are named p_…",
  `select p.oid::regprocedure::text || ' ' || a.name as name
   from pg_proc as p, unnest(p.proargnames[1:p.pronargs]) as a (name)
   where p.pronamespace = 'private'::regnamespace and a.name !~ '^p_'`,
);

law(
  "a function that writes is volatile",
  `select p.oid::regprocedure::text as name from ${FUNCTIONS} and p.provolatile <> 'v'
   and p.prosrc ~* '(^|[^_])(insert into|update [a-z]+\\.|delete from|for (no key )?update|pg_advisory_xact_lock)'`,
);

law(
  "a function that reads tables, the clock or the caller is not immutable",
  `select p.oid::regprocedure::text as name from ${FUNCTIONS} and p.provolatile = 'i'
   and p.prosrc ~* '(from (public|private|auth|storage)\\.|now\\(\\)|current_setting|auth\\.)'`,
);

law(
  "policies are for authenticated only, but for the one by which Auth reads roles for its tokens",
  `select p.tablename || ': ' || p.policyname as name from ${POLICIES} and p.roles <> array['authenticated'::name]
   and (p.tablename, p.cmd, p.roles) <> ('profiles', 'SELECT', array['supabase_auth_admin'::name])`,
);

law(
  "no policy asks auth.* or current_setting once per row: it is wrapped in a select",
  `select p.tablename || ': ' || p.policyname as name from ${POLICIES}
   and regexp_replace(
     coalesce(p.qual, '') || ' ' || coalesce(p.with_check, ''),
     '\\(\\s*SELECT\\s+(auth\\.\\w+\\(\\)|current_setting\\([^()]*\\))\\s+AS\\s+\\w+\\)', '', 'gi'
   ) ~* '(auth\\.\\w+|current_setting)\\('`,
);

law(
  "no policy calls a helper once per row: it is wrapped in a select, or selected from",
  `select p.tablename || ': ' || p.policyname as name from ${POLICIES}
   and regexp_replace(
     coalesce(p.qual, '') || ' ' || coalesce(p.with_check, ''),
     '(SELECT|FROM)\\s+private\\.\\w+\\(', '', 'gi'
   ) ~* 'private\\.\\w+\\('`,
);

law(
  "one permissive policy per table, role and command",
  `select p.tablename || ' ' || c.command as name
   from pg_policies as p, unnest(case p.cmd when 'ALL' then array['SELECT', 'INSERT', 'UPDATE', 'DELETE'] else array[p.cmd] end) as c (command)
   where p.schemaname in ('public', 'private', 'storage', 'realtime') and p.permissive = 'PERMISSIVE'
   group by p.schemaname, p.tablename, p.roles, c.command having count(*) > 1`,
);

law(
  "policies for writing check what they write, and none says just true",
  `select p.tablename || ': ' || p.policyname as name from ${POLICIES}
   and (p.cmd in ('INSERT', 'UPDATE', 'ALL') and p.with_check is null or 'true' in (p.qual, p.with_check))`,
);

law(
  "policy names are sentences: who can do what",
  `select p.tablename || ': ' || p.policyname as name from ${POLICIES}
   and p.policyname !~ '^[a-z][a-z, '']+ can [a-z]+ [a-z0-9, ''-]+$'`,
);

law(
  "no policy reads its own table, which would recurse",
  `select p.tablename || ': ' || p.policyname as name from ${POLICIES}
   and coalesce(p.qual, '') || coalesce(p.with_check, '') ~* ('(FROM|JOIN) (\\w+\\.)?' || p.tablename || '\\M')`,
);

law(
  "every foreign key is indexed, so that a delete does not scan",
  `select c.conrelid::regclass::text || ' ' || c.conname as name from pg_constraint as c
   where c.contype = 'f' and c.connamespace in ${OURS}
     and not exists (
       select from pg_index as i
       where i.indrelid = c.conrelid and i.indisvalid
         and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] operator(pg_catalog.@>) c.conkey
         -- A partial index serves only where it leaves out nothing but nulls.
         and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\\(\\w+ IS NOT NULL\\)$')
     )`,
);

law(
  "no two indexes are the same",
  `select min(i.indexrelid::regclass::text) as name from pg_index as i join pg_class as c on c.oid = i.indrelid
   where c.relnamespace in ${OURS}
   group by i.indrelid, i.indkey::text, i.indclass::text, i.indoption::text, coalesce(i.indexprs::text, ''), coalesce(i.indpred::text, '')
   having count(*) > 1`,
);

law(
  "check constraints are named for the rule they hold",
  `select c.conrelid::regclass::text || ' ' || c.conname as name from pg_constraint as c
   where c.contype = 'c' and c.connamespace in ${OURS} and c.conname ~ '_check[0-9]*$'`,
);

law(
  "a trigger is called after its table and its task",
  `select t.tgrelid::regclass::text || ' ' || t.tgname as name from pg_trigger as t join pg_proc as p on p.oid = t.tgfoid
   where not t.tgisinternal and p.pronamespace in ${OURS}
     and t.tgname !~ ('^' || (select c.relname from pg_class as c where c.oid = t.tgrelid) || '_[a-z_]+$')`,
);

law(
  "timestamps know their zone, and no column is varchar, serial or money",
  `select a.attrelid::regclass::text || '.' || a.attname as name from pg_attribute as a join pg_class as c on c.oid = a.attrelid
   where c.relnamespace in ${OURS} and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
     and a.atttypid in ('timestamp'::regtype, 'varchar'::regtype, 'money'::regtype, 'json'::regtype)`,
);

law(
  "no extension lives in a schema of ours",
  `select e.extname as name from pg_extension as e where e.extnamespace in ${OURS}`,
);

const readMigrations = async (): Promise<string> => {
  const folder = new URL("../../supabase/migrations/", import.meta.url);
  const texts = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.name.endsWith(".sql")) texts.push(await Deno.readTextFile(new URL(entry.name, folder)));
  }
  return texts.join("\n");
};

Deno.test("every code that the SQL refuses with is in the closed list", async () => {
  const text = await readMigrations();
  const used = [...text.matchAll(/private\.refuse\(\s*'(\w+)'/g)].map(([, code]) => code ?? "");
  const rows = await db.sql<{ code: string }[]>`select code from private.error_codes`;
  const known = rows.map((row) => row.code);
  assertEquals([...new Set(used)].filter((code) => !known.includes(code)), []);
  assertEquals(used.length > 30, true, "The pattern that finds refusals finds too few");
});

Deno.test("no refusal names its code otherwise than in quotes, so that this test sees them all", async () => {
  const text = await readMigrations();
  const calls = text.match(/perform private\.refuse\(/g)?.length;
  assertEquals(text.match(/perform private\.refuse\(\s*'\w+'/g)?.length, calls);
});

Deno.test("the codes of the database and of shared/errors.ts have the same status", async () => {
  const rows = await db.sql<
    { code: string; http_status: number }[]
  >`select code, http_status from private.error_codes order by code`;
  const shared = new Map(Object.entries(ERROR_CODES).map(([code, { status }]) => [code, status as number]));
  assertEquals(
    rows.map((row) => [row.code, row.http_status]),
    rows.map((row) => [row.code, shared.get(row.code) ?? 0]),
  );
});

Deno.test("docs/security.md gives the reason for every SECURITY DEFINER function that people or triggers reach", async () => {
  const page = await Deno.readTextFile(new URL("../../docs/security.md", import.meta.url));
  const table = /### SECURITY DEFINER functions.*?\n\| -[^\n]*\n(.*?)\n\n/s.exec(page)?.[1] ?? "";
  const named = table.split("\n").flatMap((row) =>
    [...(row.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, name]) => name)
  );
  const rows = await db.sql`select distinct p.proname as name from pg_proc as p
    where p.prosecdef and p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)
      and (p.prorettype = 'trigger'::regtype or has_function_privilege('authenticated', p.oid, 'execute')
        or has_function_privilege('service_role', p.oid, 'execute'))`;
  assertEquals(named.toSorted(), rows.map((row) => row.name).toSorted());
});

Deno.test("every migration opens with a comment that says what it is for", async () => {
  const folder = new URL("../../supabase/migrations/", import.meta.url);
  for await (const { name } of Deno.readDir(folder)) {
    assertEquals((await Deno.readTextFile(new URL(name, folder))).startsWith("-- "), true, name);
  }
});

/** The statements of a function that would change every row of a table. */
function unrestricted(body: string): string[] {
  const source = body.replaceAll(/--[^\n]*/g, "");
  return [...source.matchAll(/\b(?:update (?:public|private|auth|storage)\.|delete from )/g)].map(({ index }) => {
    let depth = 0;
    let own = "";
    for (const character of source.slice(index)) {
      if (character === ")" && --depth < 0) break;
      if (depth === 0 && character === ";") break;
      if (depth === 0) own += character;
      if (character === "(") depth++;
    }
    return own;
  }).filter((statement) => !/\bwhere\b/.test(statement));
}

// Its sessions load safeupdate, which is not here; a function that is called in one is held to it too.
Deno.test("no function updates or deletes without a WHERE: through the platform's Data API it would be refused", async () => {
  const rows = await db.sql`select p.oid::regprocedure::text as name, p.prosrc as body from pg_proc as p
    where p.pronamespace in ('public'::regnamespace, 'private'::regnamespace)`;
  assertEquals(rows.flatMap(({ name, body }) => unrestricted(body).map((statement) => `${name}: ${statement}`)), []);
});
