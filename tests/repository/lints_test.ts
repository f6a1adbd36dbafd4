// The platform's lints from 0025 on, which the official CLI does not carry yet. Each is tried on an offence as well, made
// in a transaction that is rolled back: a lint that finds nothing must be able to find something. Two of them are about
// the cluster and no schema: extensions that PostgreSQL 17 has no more, and replication slots that nobody reads.
import { fileURLToPath } from "node:url";
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../support/database.ts";
import { readConfig } from "../../local/config.ts";

const db = await shareDatabase();
const { api } = await readConfig(fileURLToPath(new URL("../../supabase/config.toml", import.meta.url)));
// GraphQL and Storage show their schemas whatever config.toml says.
const EXPOSED = [...api.schemas, "graphql_public"].map((schema) => `'${schema}'`).join(", ");

interface Lint {
  number: string;
  claim: string;
  query: string;
  /** What it must find, and the statements that make it. */
  offence: string[];
  found: string;
}

const visibleTo = (role: string, extra: string) => `
  select format('%I.%I', n.nspname, c.relname) as name
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
  where n.nspname in (${EXPOSED}) and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and (has_table_privilege('${role}', c.oid, 'select') or has_any_column_privilege('${role}', c.oid, 'select')) ${extra}`;

const definers = (role: string) => `
  select p.oid::regprocedure::text as name
  from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
  where n.nspname in (${EXPOSED}) and p.prosecdef and has_function_privilege('${role}', p.oid, 'execute')`;

const LINTS: Lint[] = [
  {
    number: "0025",
    claim: "no bucket is public while a policy lets its objects be listed",
    query: `
      select b.id as name from storage.buckets as b
      where b.public and exists (
        select from pg_policies as p
        where p.schemaname = 'storage' and p.tablename = 'objects' and p.cmd in ('SELECT', 'ALL') and p.permissive = 'PERMISSIVE'
          and (p.qual !~ 'bucket_id' or position(quote_literal(b.id) in p.qual) > 0)
      )`,
    offence: ["update storage.buckets set public = true"],
    found: "genesis-files",
  },
  {
    number: "0026",
    claim: "no table is visible to anon, through GraphQL or otherwise",
    query: visibleTo("anon", ""),
    offence: ["grant select (id) on public.projects to anon"],
    found: "public.projects",
  },
  {
    number: "0027",
    claim: "every table that GraphQL shows to people is guarded: rows by policies, or a view by its reader's rights",
    query: visibleTo(
      "authenticated",
      `and not c.relrowsecurity and not (c.relkind = 'v' and coalesce('security_invoker=true' = any (c.reloptions), false))`,
    ),
    offence: ["create table public.leak (id integer)", "grant select on public.leak to authenticated"],
    found: "public.leak",
  },
  ...["anon", "authenticated"].map((role, index) => ({
    number: `002${8 + index}`,
    claim: `no SECURITY DEFINER function of an exposed schema can be executed by ${role}`,
    query: definers(role),
    offence: [
      "create function public.leak() returns integer language sql security definer as 'select 1'",
      `grant execute on function public.leak() to ${role}`,
    ],
    found: "leak()",
  })),
  {
    number: "0030",
    claim: "no policy asks whether nobody is signed in, and so lets them in",
    query: `
      select format('%s: %s', p.tablename, p.policyname) as name from pg_policies as p
      where p.schemaname not in ('auth', 'pg_catalog') and coalesce(p.qual, '') || ' ' || coalesce(p.with_check, '')
        ~* '(auth\\.\\w+\\(\\)|user_id\\(\\)|current_setting\\([^()]*\\))( AS \\w+\\))?\\)* IS (NOT )?NULL'`,
    offence: [
      "create policy leak on public.workflows for select using (not ((select auth.uid()) is not null) or created_by = auth.uid())",
    ],
    found: "workflows: leak",
  },
  {
    number: "0030",
    claim: "no index is invalid, as one that could not be built is",
    query: "select i.indexrelid::regclass::text as name from pg_index as i where not i.indisvalid",
    offence: ["update pg_index set indisvalid = false where indexrelid = 'public.idx_workflows_project_id'::regclass"],
    found: "idx_workflows_project_id",
  },
  {
    number: "0030",
    claim: "every table is vacuumed by itself",
    query: `
      select c.oid::regclass::text as name from pg_class as c, pg_options_to_table(c.reloptions) as o
      where c.relkind in ('r', 'm') and o.option_name = 'autovacuum_enabled' and not o.option_value::boolean`,
    offence: ["alter table public.workflows set (autovacuum_enabled = off)"],
    found: "workflows",
  },
];

for (const { number, claim, query, offence, found } of LINTS) {
  const names = async (sql: { unsafe: typeof db.sql.unsafe }) =>
    (await sql.unsafe<{ name: string }[]>(query)).map(({ name }) => name);

  Deno.test(`lint ${number}: ${claim}`, async () => {
    assertEquals(await names(db.sql), []);
  });

  Deno.test(`lint ${number} finds an offence: ${found}`, async () => {
    const undo = new Error("undone by the test");
    const attempt = db.sql.begin(async (tx) => {
      for (const statement of offence) await tx.unsafe(statement);
      assertEquals((await names(tx)).includes(found), true, `It must find ${found}`);
      throw undo;
    });
    await attempt.catch((error) => assertEquals(error, undo));
  });
}
