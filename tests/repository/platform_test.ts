// What the official tools and the platform's own runtime say of this repository.
import { assertEquals, assertObjectMatch } from "@std/assert";
import { dirname, join } from "node:path";
import { fetchCli } from "../../local/migrate.ts";
import { connect } from "../../local/platform.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/free_port.ts";
import { FUNCTIONS } from "../support/functions.ts";
import { stack } from "../support/stack.ts";

const ROOT = new URL("../../", import.meta.url);
const PLATFORM_RUNTIME = "deno@2.1.4";

async function cli(...args: string[]): Promise<string> {
  const command = new Deno.Command(await fetchCli(), {
    args: [...args, `--remote=${stack.databaseUrl}`],
    cwd: ROOT,
    env: { DO_NOT_TRACK: "1", NO_COLOR: "1", PGSSLMODE: "disable" },
    stdin: "null",
  });
  const { success, stdout, stderr } = await command.output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`supabase ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return text;
}

interface Advice {
  name: string;
  detail: string;
}

Deno.test("the official advisors find nothing but unused indexes", async () => {
  const advise = async () => {
    const text = await cli("db", "advisors", "--level", "info");
    const advice: Advice[] = JSON.parse(text.slice(text.indexOf("[")));
    return advice.filter(({ name }) => name !== "unused_index").map(({ name, detail }) => `${name}: ${detail}`);
  };
  // The tables that other tests make in this database are gone a moment later.
  assertEquals(await eventually(advise, ({ length }) => length === 0), []);
});

Deno.test("the official CLI finds nothing left to push", async () => {
  const { stderr, stdout } = await new Deno.Command(await fetchCli(), {
    args: ["db", "push", `--remote=${stack.databaseUrl}`, "--include-seed", "--dry-run", "--yes"],
    cwd: ROOT,
    env: { DO_NOT_TRACK: "1", NO_COLOR: "1", PGSSLMODE: "disable" },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assertEquals(/up to date/i.test(text), true, text);
});

Deno.test("every migration was pushed by a postgres that owns nothing of auth, storage and realtime", async () => {
  const sql = connect(stack.databaseUrl);
  try {
    const [{ applied }] = await sql`select count(*)::int as applied from supabase_migrations.schema_migrations`;
    const [{ superuser }] = await sql`select rolsuper as superuser from pg_roles where rolname = 'postgres'`;
    const owned = await sql`
      select c.oid::regclass::text as name from pg_class as c
      where c.relnamespace in ('auth'::regnamespace, 'storage'::regnamespace, 'realtime'::regnamespace)
        and c.relkind in ('r', 'p') and pg_has_role('postgres', c.relowner, 'member')`;
    const files = [...Deno.readDirSync(new URL("supabase/migrations", ROOT))].length;
    assertEquals({ applied, superuser, owned: owned.map(({ name }) => name) }, {
      applied: files,
      superuser: false,
      owned: [],
    });
  } finally {
    await sql.end();
  }
});

/** The runtime's own binary: the script that npx runs would not pass the end of the test on to it. */
async function platformRuntime(): Promise<string> {
  const find = new Deno.Command("npx", { args: ["-y", `--package=${PLATFORM_RUNTIME}`, "-c", "command -v deno"] });
  const { success, stdout, stderr } = await find.output();
  if (!success) throw new Error(`Cannot fetch ${PLATFORM_RUNTIME}: ${new TextDecoder().decode(stderr)}`);
  const packages = join(dirname(new TextDecoder().decode(stdout).trim()), "..", "@deno");
  for await (const { name } of Deno.readDir(packages)) return join(packages, name, "deno");
  throw new Error(`${PLATFORM_RUNTIME} has no build for this machine`);
}

/** Starts a function as the platform does: its runtime's version, its environment, `export default { fetch }`. */
async function askHealth(slug: string): Promise<unknown> {
  const port = freePort();
  const child = new Deno.Command(await platformRuntime(), {
    args: ["serve", "--quiet", "-A", "--no-lock", "--config", "supabase/functions/deno.json"]
      .concat("--host", "127.0.0.1", "--port", String(port), `supabase/functions/${slug}/index.ts`),
    cwd: ROOT,
    env: {
      SUPABASE_URL: stack.url,
      SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
      SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
      SUPABASE_JWKS: JSON.stringify({ keys: [] }),
    },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  try {
    const ask = (path: string) =>
      fetch(`http://127.0.0.1:${port}/${slug}/${path}`).then((answer) => answer.json(), () => null);
    const health = await eventually(() => ask("health"), (answer) => answer !== null);
    if (!health) throw new Error(`${slug} does not answer`);
    return { health, openapi: (await ask("openapi.json"))?.openapi };
  } finally {
    child.kill("SIGKILL");
    await child.status;
  }
}

for (const slug of FUNCTIONS) {
  Deno.test(`${slug} starts and answers under the platform's runtime, ${PLATFORM_RUNTIME}`, async () => {
    assertObjectMatch(await askHealth(slug) as object, { health: { status: "ok" }, openapi: "3.1.0" });
  });
}
