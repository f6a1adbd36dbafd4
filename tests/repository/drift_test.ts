// What is made from something else is what would be made of it now.
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import { ERROR_CODES } from "../../shared/errors.ts";
import { MAX_FILE_BYTES } from "../../shared/contract/upload-file.ts";
import { readConfig } from "../../local/config.ts";
import { connect } from "../../local/platform.ts";
import { shareDatabase } from "../support/database.ts";
import { stack } from "../support/stack.ts";
import { generatedFiles } from "./generated.ts";

const ROOT = new URL("../../", import.meta.url);
// In the stack's own database other tests add what no migration has.
const db = await shareDatabase();

Deno.test("the generated files are what `deno task gen` writes", async () => {
  for (const [path, text] of await generatedFiles(db.url)) {
    assertEquals(await Deno.readTextFile(new URL(path, ROOT)), text, `${path} is stale: run \`deno task gen\``);
  }
});

Deno.test("the file that docs/database.md names for a function holds the body that runs", async () => {
  const page = await Deno.readTextFile(new URL("docs/database.md", ROOT));
  const rows = await db.sql<{ name: string; count: number; body: string }[]>`
    select pronamespace::regnamespace || '.' || proname as name, pronargs as count, prosrc as body from pg_proc
    where pronamespace in ('public'::regnamespace, 'private'::regnamespace)`;
  const functions = page.slice(page.indexOf("## Functions"), page.indexOf("## Triggers"));
  for (const { name, count, body } of rows) {
    const label = `${name}(?: \\(${count} arguments?\\))?`.replace(".", "\\.");
    const file = new RegExp(`^\\| ${label} +\\| ` + "`(\\w+)`", "m").exec(functions)?.[1];
    assert(file, `docs/database.md does not name ${name}`);
    const text = await Deno.readTextFile(new URL(`supabase/migrations/${file}.sql`, ROOT));
    assert(text.includes(body), `${name} is not in ${file}`);
  }
});

Deno.test("the codes that the database raises have the same status in shared/errors.ts", async () => {
  const sql = connect(stack.databaseUrl);
  const rows = await sql<{ code: string; http_status: number }[]>`select code, http_status from private.error_codes`;
  await sql.end();
  const known: Record<string, number | undefined> = Object.fromEntries(
    Object.entries(ERROR_CODES).map(([code, { status }]) => [code, status]),
  );
  assertEquals(rows.map((row) => [row.code, row.http_status]), rows.map((row) => [row.code, known[row.code]]));
});

Deno.test("the bucket has one size limit: in the contract, config.toml and the database", async () => {
  const sql = connect(stack.databaseUrl);
  const [bucket] =
    await sql`select file_size_limit::int as size, public from storage.buckets where id = 'genesis-files'`;
  await sql.end();
  assertEquals({ ...bucket }, { size: MAX_FILE_BYTES, public: false });
  await readConfig(fileURLToPath(new URL("supabase/config.toml", ROOT)));
  const config = await Deno.readTextFile(new URL("supabase/config.toml", ROOT));
  const limit = /\[storage\.buckets\.genesis-files\][^[]*file_size_limit = "(\d+)MiB"/.exec(config)?.[1];
  assertEquals(Number(limit) * 1_048_576, MAX_FILE_BYTES);
});
