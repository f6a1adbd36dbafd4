// `deno task test`: one stack, one migrated template database, then every test file in parallel against them. With
// SUPABASE_URL and the keys in the environment it uses that stack instead of starting one.
//
//   deno task test                          everything
//   deno task test tests/database           one folder; other arguments go to `deno test` too
import { readConfig } from "../local/config.ts";
import { applyMigrationFiles } from "../local/migrate.ts";
import { applyPlatform, connect } from "../local/platform.ts";
import { startStack } from "../local/stack.ts";
import { TEMPLATE } from "./support/database.ts";
import { freePort } from "./support/free_port.ts";

const ROOT = new URL("../", import.meta.url);

/** The database that test files clone: migrated once, by the files themselves. */
async function prepareTemplate(adminUrl: string, ownerUrl: string): Promise<void> {
  const admin = connect(adminUrl);
  await admin.unsafe(`drop database if exists ${TEMPLATE} with (force)`);
  await admin.unsafe(`create database ${TEMPLATE} template template0`);
  await admin.end();
  const inTemplate = (url: string) => Object.assign(new URL(url), { pathname: `/${TEMPLATE}` }).href;
  await applyPlatform(inTemplate(adminUrl));
  await applyMigrationFiles(inTemplate(ownerUrl), await readConfig(new URL("supabase/config.toml", ROOT).pathname));
}

/** Runs `deno test` and counts what its closing lines say. */
async function runTests(args: string[], env: Record<string, string>) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--quiet", "-A", "--no-check", "--parallel", ...args],
    cwd: ROOT.pathname,
    env: { ...env, DENO_JOBS: Deno.env.get("DENO_JOBS") ?? "3" },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    Deno.stdout.writeSync(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-2000);
  }
  const { code } = await child.status;
  // deno-lint-ignore no-control-regex
  const plain = tail.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const [, passed = "0", failed = "0"] = /(\d+) passed.*?\| (\d+) failed/.exec(plain) ?? [];
  const ignored = /(\d+) ignored/.exec(plain)?.[1] ?? "0";
  return { code, passed: Number(passed), failed: Number(failed), ignored: Number(ignored) };
}

const given = Deno.env.get("SUPABASE_URL") !== undefined;
const directory = given ? undefined : await Deno.makeTempDir({ prefix: "genesis-test-" });
// As root the database runs as another user, who has to get at it.
if (directory) await Deno.chmod(directory, 0o755);
const stack = given ? undefined : await startStack({
  port: freePort(),
  directory,
  progress: (step) => console.error(step),
  log: Deno.env.has("TEST_LOG") ? (line) => console.error(line) : undefined,
});
const env: Record<string, string> = stack
  ? {
    SUPABASE_URL: stack.url,
    SUPABASE_PUBLISHABLE_KEY: stack.publishableKey,
    SUPABASE_SECRET_KEY: stack.secretKey,
    SUPABASE_DB_URL: stack.databaseUrl,
    SUPABASE_JWT_SECRET: stack.jwtSecret,
    TEST_ADMIN_DB_URL: stack.adminDatabaseUrl,
  }
  : {};

let result = { code: 1, passed: 0, failed: 0, ignored: 0 };
try {
  if (stack) await prepareTemplate(stack.adminDatabaseUrl, stack.databaseUrl);
  result = await runTests(Deno.args.length > 0 ? Deno.args : ["tests/"], env);
} finally {
  await stack?.stop();
  if (directory) await Deno.remove(directory, { recursive: true });
}
const { code, passed, failed, ignored } = result;
console.log(`${passed} passed, ${failed} failed${ignored > 0 ? `, ${ignored} skipped` : ""}`);
Deno.exit(code === 0 && passed === 0 ? 1 : code);
