// The commands start, stop and reset as a person uses them: what they say, what they keep, what they leave behind.
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { createClient } from "@supabase/supabase-js";
import { fileURLToPath } from "node:url";
import { readArguments } from "../../local/main.ts";
import { connect } from "../../local/platform.ts";
import { startPostgres } from "../../local/postgres.ts";
import { possibleHomes } from "../../local/postgres_home.ts";
import { PATIENCE_MS } from "../support/eventually.ts";
import { freePort } from "../support/free_port.ts";
import { eventually } from "./fixture.ts";

const MAIN = fileURLToPath(new URL("../../local/main.ts", import.meta.url));
const CREDENTIALS = { email: "keeper@example.com", password: "a-long-password" };

const port = freePort();
const directory = await Deno.makeTempDir({ prefix: "genesis-life-" });
await Deno.chmod(directory, 0o755);
let running: Started | undefined;

interface Started {
  child: Deno.ChildProcess;
  output: Promise<Deno.CommandOutput>;
}

function command(args: string[], env: Record<string, string> = {}): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...args],
    env,
    stdout: "piped",
    stderr: "piped",
  });
}

/** Runs a command to its end: exit code, and what it said. */
async function run(...args: string[]): Promise<{ code: number; out: string; error: string }> {
  const { code, stdout, stderr } = await command(args).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return { code, out: text(stdout), error: text(stderr) };
}

function environment(): Promise<Record<string, string>> {
  return Deno.readTextFile(`${directory}/stack.env`).then(
    (text) => Object.fromEntries(text.trim().split("\n").map((line) => line.split(/=(.*)/s).slice(0, 2))),
    () => ({}),
  );
}

/** The same in a terminal of its own, which is closed when the process that holds it ends (Python has ptys, Deno none). */
function terminal(): Deno.Command {
  const hold = "import pty, signal, sys; signal.signal(15, lambda *_: sys.exit()); pty.spawn(sys.argv[1:])";
  const line = [Deno.execPath(), "run", "-A", MAIN, "start", "--port", String(port), "--dir", directory];
  return new Deno.Command("python3", { args: ["-c", hold, ...line], stdout: "piped", stderr: "piped" });
}

function start(): Promise<Record<string, string>> {
  return startIn(command(["start", "--port", String(port), "--dir", directory]));
}

async function startIn(command: Deno.Command): Promise<Record<string, string>> {
  const child = command.spawn();
  running = { child, output: child.output() };
  const deadline = Date.now() + 3 * PATIENCE_MS;
  for (;;) {
    const values = await environment();
    if (values.SUPABASE_URL) return values;
    const ended = await Promise.race([running.output, new Promise((resolve) => setTimeout(resolve, 100))]);
    if (!ended && Date.now() < deadline) continue;
    if (!ended) child.kill();
    throw new Error(new TextDecoder().decode((await running.output).stderr));
  }
}

/** Everything that belongs to this stack: its server by the data directory, its functions by their URL (Linux). */
async function processes(): Promise<string[]> {
  const found: string[] = [];
  if (Deno.build.os !== "linux") return found;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const read = (file: string) => Deno.readTextFile(`/proc/${name}/${file}`).catch(() => "");
    const line = (await read("cmdline")).replaceAll("\0", " ");
    const isFunction = (await read("environ")).includes(`SUPABASE_URL=http://127.0.0.1:${port}\0`);
    if (line.includes(`${directory}/`) || isFunction) found.push(line);
  }
  return found;
}

Deno.test.afterAll(async () => {
  await run("reset", "--dir", directory);
  await running?.output;
  await Deno.remove(directory, { recursive: true }).catch(() => {});
});

Deno.test("start announces itself in stack.env, with every migration recorded as the official CLI records it", async () => {
  const values = await start();
  assertEquals(Object.keys(values), [
    "SUPABASE_URL",
    "SUPABASE_PUBLISHABLE_KEY",
    "SUPABASE_SECRET_KEY",
    "SUPABASE_DB_URL",
    "SUPABASE_JWT_SECRET",
  ]);
  const list = await new Deno.Command("npx", {
    args: [
      "-y",
      "supabase@3.1.0",
      "db",
      "push",
      `--remote=${values.SUPABASE_DB_URL}`,
      "--dry-run",
      "--include-seed",
      "--yes",
    ],
    env: { DO_NOT_TRACK: "1", NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(list.stdout) + new TextDecoder().decode(list.stderr);
  assertMatch(said, /up to date/i);
});

Deno.test("a second stack on the same directory is refused in one sentence", async () => {
  const { code, error } = await run("start", "--port", String(freePort()), "--dir", directory);
  assertEquals(code, 1);
  assertMatch(
    error,
    /^A stack already runs on .* at http:\/\/127\.0\.0\.1:\d+ \(process \d+\): use it, stop it, or .*\.$/,
  );
});

Deno.test("an empty --dir is refused in one sentence, and nothing becomes the state's directory", async () => {
  const { code, error } = await run("start", "--port", String(freePort()), "--dir", "");
  assertEquals([code, error], [1, "--dir must not be empty: leave it out for the usual directory."]);
});

Deno.test("a busy port is named in one sentence, and nothing is left behind", async () => {
  const elsewhere = `${directory}-elsewhere`;
  const gateway = await run("start", "--port", String(port), "--dir", elsewhere);
  assertEquals(gateway.code, 1);
  assertMatch(gateway.error, new RegExp(`^Port ${port} is in use: .*--port \\d+\\.$`));
  const database = await run("start", "--port", String(port - 1), "--dir", elsewhere);
  assertEquals(database.code, 1);
  assertMatch(database.error, new RegExp(`^Port ${port} \\(PostgreSQL\\) is in use: .*--port \\d+\\.$`));
  assertEquals(await Deno.stat(elsewhere).then(() => "there", () => "gone"), "gone");
});

Deno.test("stop ends every process of the stack and removes stack.env", async () => {
  const values = await environment();
  const client = createClient(values.SUPABASE_URL, values.SUPABASE_PUBLISHABLE_KEY, {
    auth: { persistSession: false },
  });
  assertEquals((await client.auth.signUp(CREDENTIALS)).error, null);
  await (await fetch(`${values.SUPABASE_URL}/functions/v1/start-workflow/health`)).body?.cancel();
  if (Deno.build.os === "linux") assert((await processes()).length >= 2);
  const { code, out } = await run("stop", "--dir", directory);
  assertEquals(code, 0);
  assertMatch(out, /^Stopped the stack at http/);
  assertEquals((await running?.output)?.code, 0);
  assertEquals(await eventually(processes, (left) => left.length === 0), []);
  assertEquals(await environment(), {});
});

Deno.test("a restart keeps keys and data", async () => {
  const values = await start();
  const client = createClient(values.SUPABASE_URL, values.SUPABASE_PUBLISHABLE_KEY, {
    auth: { persistSession: false },
  });
  assertEquals((await client.auth.signInWithPassword(CREDENTIALS)).error, null);
});

Deno.test("a stack whose database connections were all ended answers whoever waits, and goes on", async () => {
  const { SUPABASE_URL, SUPABASE_SECRET_KEY, SUPABASE_DB_URL } = await environment();
  const client = createClient(SUPABASE_URL ?? "", SUPABASE_SECRET_KEY ?? "", { auth: { persistSession: false } });
  const sql = connect((SUPABASE_DB_URL ?? "").replace("//postgres:", "//supabase_admin:"));
  const answers = (count: number) =>
    Promise.all(Array.from({ length: count }, () => client.from("projects").select("id").limit(1)));
  const held: Promise<unknown>[] = [];
  await sql.begin(async (tx) => {
    await tx`lock table public.projects in access exclusive mode`;
    // In the middle of their transactions, each on a connection of its own.
    held.push(answers(6));
    const waiting = () => tx<{ n: number }[]>`select count(*)::int as n from pg_locks where not granted`;
    await eventually(waiting, ([row]) => row?.n === 6);
    await tx`select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and backend_type = 'client backend'`;
  });
  await Promise.all(held);
  const failed = async () => (await answers(30)).filter(({ error }) => error);
  assertEquals(await eventually(failed, (left) => left.length === 0), []);
  await sql.end();
});

Deno.test("a stack that was killed is followed by one that works", async () => {
  running?.child.kill("SIGKILL");
  await running?.output;
  await Deno.remove(`${directory}/stack.env`);
  const values = await start();
  const client = createClient(values.SUPABASE_URL, values.SUPABASE_PUBLISHABLE_KEY, {
    auth: { persistSession: false },
  });
  assertEquals((await client.auth.signInWithPassword(CREDENTIALS)).error, null);
});

Deno.test("what a start that was killed is still writing stands in no later one's way", async () => {
  const home = await Deno.makeTempDir({ prefix: "genesis-life-" });
  await Deno.chmod(home, 0o755);
  // `true`, as a shell ends where `:` cannot write: the folder may be gone between the two.
  // With a trap, it ends behind its mkdir and not before, which would go on beside the removal.
  const writes = 'trap exit TERM; while :; do mkdir -p "$1"; true > "$1/file"; done';
  const orphan = new Deno.Command("sh", { args: ["-c", writes, "sh", `${home}/postgres/data.part`], stderr: "null" })
    .spawn();
  try {
    await (await startPostgres(home, freePort())).stop();
  } finally {
    orphan.kill();
    await orphan.status;
    await Deno.remove(home, { recursive: true });
  }
});

Deno.test("stop cleans up after a stack that was killed", async () => {
  running?.child.kill("SIGKILL");
  await running?.output;
  assertMatch((await run("stop", "--dir", directory)).out, /had left behind\.$/);
  assertEquals(await eventually(processes, (left) => left.length === 0), []);
  assertMatch((await run("stop", "--dir", directory)).out, /^No stack runs on /);
});

Deno.test("a stack whose PostgreSQL was killed says so in one line", async () => {
  await start();
  const homes = (await possibleHomes(directory)).map((home) => `${home}/data/postmaster.pid`);
  const notes = await Promise.all(homes.map((file) => Deno.readTextFile(file).catch(() => "")));
  Deno.kill(Number(notes.find(Boolean)?.split("\n")[0]), "SIGKILL");
  const { code, stderr } = await running!.output;
  assertEquals(code, 1);
  assertMatch(
    new TextDecoder().decode(stderr).trim(),
    /^PostgreSQL ended by itself \(SIGKILL, its log is .*postgres\.log\)\.$/,
  );
});

Deno.test("what PostgreSQL said last is in its log", async () => {
  const directory = await Deno.makeTempDir({ prefix: "genesis-test-" });
  await Deno.chmod(directory, 0o755);
  const server = await startPostgres(directory, freePort());
  await server.stop();
  const [, log = ""] = /its log is (.+)$/.exec(await server.died) ?? [];
  assertMatch(await Deno.readTextFile(log), /database system is shut down\n$/);
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a closed terminal stops the stack as Ctrl-C does, with nobody left to read about it", async () => {
  const { SUPABASE_URL } = await startIn(terminal());
  await (await fetch(`${SUPABASE_URL}/functions/v1/start-workflow/health`)).body?.cancel();
  running?.child.kill("SIGTERM");
  await running?.output;
  assertEquals(await eventually(processes, (left) => left.length === 0), []);
  const notes = ["stack.env", "stack.pid"];
  const left = () => Promise.all(notes.map((name) => Deno.stat(`${directory}/${name}`).then(() => [name], () => [])));
  assertEquals((await eventually(left, (found) => found.flat().length === 0)).flat(), []);
});

Deno.test("SIGQUIT stops the stack as Ctrl-C does", async () => {
  await start();
  running?.child.kill("SIGQUIT");
  assertEquals((await running?.output)?.code, 0);
  assertEquals(await eventually(processes, (left) => left.length === 0), []);
});

Deno.test("a proxy that the environment names is not asked for functions", async () => {
  const env = { HTTP_PROXY: `http://127.0.0.1:${freePort()}`, NO_PROXY: "example.com" };
  const { SUPABASE_URL } = await startIn(command(["start", "--port", String(port), "--dir", directory], env));
  const { status } = await fetch(`${SUPABASE_URL}/functions/v1/start-workflow/health`, { method: "HEAD" });
  await run("stop", "--dir", directory);
  await running?.output;
  assertEquals(status, 200);
});

Deno.test("what the environment says of other databases keeps no stack from its own", async () => {
  const env = { PGTARGETSESSIONATTRS: "read-only", PGSSL: "require", PGMAX: "none", PGCONNECT_TIMEOUT: "never" };
  const { SUPABASE_URL } = await startIn(command(["start", "--port", String(port), "--dir", directory], env));
  await run("stop", "--dir", directory);
  await running?.output;
  assertEquals(SUPABASE_URL, `http://127.0.0.1:${port}`);
});

Deno.test("reset deletes what the stack kept and nothing else", async () => {
  await Deno.writeTextFile(`${directory}/mine.txt`, "mine");
  const { code, out } = await run("reset", "--dir", directory);
  assertEquals(code, 0);
  assertStringIncludes(out, "Deleted ");
  assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["mine.txt"]);
});

Deno.test("reset refuses a directory that never was a stack's, in one sentence", async () => {
  const foreign = await Deno.makeTempDir();
  await Deno.mkdir(`${foreign}/postgres`);
  await Deno.writeTextFile(`${foreign}/stack.env`, "MINE=1");
  const { code, error } = await run("reset", "--dir", foreign);
  assertEquals(code, 1);
  assertMatch(error, /^.* was never a stack's .*: delete postgres, stack\.env yourself, or .*\.$/);
  assertEquals([...Deno.readDirSync(foreign)].map(({ name }) => name).sort(), ["postgres", "stack.env"]);
  await Deno.remove(foreign, { recursive: true });
});

Deno.test("a lock that cannot be looked at is not taken for nobody's", async () => {
  const unclear = await Deno.makeTempDir();
  await Deno.mkdir(`${unclear}/stack.lock`);
  assertEquals((await run("stop", "--dir", unclear)).code, 1);
  await Deno.remove(unclear, { recursive: true });
});

Deno.test("a database that cannot be reached is named in one sentence", async () => {
  const url = `postgresql://someone:secret@127.0.0.1:${freePort()}/somewhere`;
  const { code, error } = await run("start", "--port", String(port), "--dir", directory, "--database-url", url);
  assertEquals(code, 1);
  assertMatch(error, /^Cannot connect to the database at 127\.0\.0\.1:\d+\/somewhere: .*\.$/);
  assert(!error.includes("secret"));
});

Deno.test("a command line that makes no sense is refused in one sentence", async () => {
  const lines = ["--bogus", "frobnicate", "--port x", "--port 80", "--port -1", "--database-url ", "start stop"];
  for (const line of lines) {
    assertEquals([line, (await errorOf(line.split(" "))).split("\n").length], [line, 1]);
  }
  assertEquals((await run("start", "--bogus")).code, 1);
});

async function errorOf(args: string[]): Promise<string> {
  try {
    await Promise.resolve(readArguments(args));
    return "accepted\nin silence";
  } catch (thrown) {
    return (thrown as Error).message;
  }
}
