// A PostgreSQL 17 of our own: initdb once, run it on loopback, stop it cleanly, and pick up after a stack that was killed.
import { join } from "node:path";
import { possibleHomes, type PostgresHome, preparePostgresHome } from "./postgres_home.ts";
import { isRunning, signal, waitUntilGone } from "./process.ts";
import { explainPlace, UserError } from "./user_error.ts";

export interface Postgres {
  /** The superuser supabase_admin on database postgres. */
  adminUrl: string;
  /** The role that migrations run as. */
  databaseUrl: string;
  /** Resolves when the server has ended, with how it did, in a few words. */
  died: Promise<string>;
  stop(): Promise<void>;
}

/** Local only: the server listens on loopback and holds nothing but development data. */
const PASSWORD = "postgres";

const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  wal_level: "logical",
  max_replication_slots: "10",
  max_wal_senders: "10",
  max_connections: "120",
  shared_buffers: "128MB",
  shared_preload_libraries: "pg_stat_statements",
  timezone: "UTC",
  log_timezone: "UTC",
};

const ENVIRONMENT = { clearEnv: true, env: { LC_ALL: "C", TZ: "UTC" }, cwd: "/" };

async function initialise(home: PostgresHome): Promise<void> {
  // A data directory appears under its real name only when it is whole, and until then has one of its own: the initdb of a
  // start that was killed may go on writing for a moment.
  const unfinished = await Deno.makeTempDir({ dir: home.home, prefix: "data.part." });
  const passwordFile = `${unfinished}.password`;
  await Deno.writeTextFile(passwordFile, PASSWORD, { mode: 0o600 });
  const { uid, gid } = home.runAs;
  if (uid !== undefined && gid !== undefined) {
    await Promise.all([Deno.chown(unfinished, uid, gid), Deno.chown(passwordFile, uid, gid)]);
  }
  const { success, stderr } = await new Deno.Command(join(home.binaries, "bin", "initdb"), {
    args: [
      ...["-D", unfinished, "-U", "supabase_admin", `--pwfile=${passwordFile}`, "--auth=scram-sha-256"],
      ...["-E", "UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"],
    ],
    ...home.runAs,
    ...ENVIRONMENT,
    stdout: "null",
  }).output();
  await Deno.remove(passwordFile);
  if (!success) {
    await Deno.remove(unfinished, { recursive: true }).catch(() => {});
    throw new Error(`initdb failed: ${new TextDecoder().decode(stderr)}`);
  }
  await Deno.rename(unfinished, home.data);
}

/** Removes what starts that were killed left unfinished; what is still being written, another time. */
async function removeUnfinished(home: string): Promise<void> {
  for await (const { name } of Deno.readDir(home)) {
    if (name.startsWith("data.part")) await Deno.remove(join(home, name), { recursive: true }).catch(() => {});
  }
}

/** Ends what a killed stack left behind; answers whether there was anything. */
export async function stopOrphans(stateDirectory: string): Promise<boolean> {
  const homes = await possibleHomes(stateDirectory);
  const stopped = await Promise.all(homes.map((home) => stopOrphan(join(home, "data"))));
  return stopped.includes(true);
}

/** Ends the server of a data directory, or removes its pid file when the number now belongs to something else. */
async function stopOrphan(data: string): Promise<boolean> {
  const pidFile = join(data, "postmaster.pid");
  const pid = Number((await Deno.readTextFile(pidFile).catch(() => "")).split("\n")[0]);
  if (!pid) return false;
  if (await isRunning(pid, data)) {
    signal(pid, "SIGINT");
    if (!await waitUntilGone(pid, 10_000, data)) signal(pid, "SIGQUIT");
    await waitUntilGone(pid, 10_000, data);
    return true;
  }
  // PostgreSQL itself only asks whether the number exists, and refuses to start when another program has it now.
  if (await isRunning(pid)) await Deno.remove(pidFile);
  return false;
}

/** Copies the server's log to a file, remembers its tail, and tells when it accepts connections. */
function follow(stream: ReadableStream<Uint8Array<ArrayBuffer>>, logFile: string) {
  const tail: string[] = [];
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const ended = (async () => {
    for await (const chunk of stream) {
      const text = new TextDecoder().decode(chunk);
      tail.push(...text.split("\n").filter(Boolean));
      tail.splice(0, tail.length - 20);
      if (text.includes("ready to accept connections")) resolve();
      // At once: a stream of Deno's keeps what it was given until there is more of it.
      await Deno.writeFile(logFile, chunk, { append: true }).catch(() => {});
    }
  })();
  return { ready, ended, tail };
}

/**
 * Starts the server of this state directory on a port. Throws UserError when the port is busy or the disk is full.
 *
 * @param changed settings to start with instead of ours
 */
export async function startPostgres(
  stateDirectory: string,
  port: number,
  changed: Partial<typeof SETTINGS> = {},
): Promise<Postgres> {
  try {
    return await launch(await preparePostgresHome(stateDirectory), port, { ...SETTINGS, ...changed });
  } catch (thrown) {
    throw explainPlace(thrown, stateDirectory);
  }
}

async function launch(home: PostgresHome, port: number, values: typeof SETTINGS): Promise<Postgres> {
  await removeUnfinished(home.home);
  if (!await Deno.stat(join(home.data, "PG_VERSION")).then(() => true, () => false)) await initialise(home);

  const settings = Object.entries(values).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const child = new Deno.Command(join(home.binaries, "bin", "postgres"), {
    args: ["-D", home.data, "-p", String(port), ...settings],
    ...home.runAs,
    ...ENVIRONMENT,
    // Out of reach of the terminal's Ctrl-C: the services that use it are stopped first.
    detached: true,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const logFile = join(home.home, "postgres.log");
  const log = follow(child.stderr, logFile);
  const ended = Promise.all([child.status, log.ended]);
  const died = ended.then(([{ signal, code }]) => `${signal ?? `code ${code}`}, its log is ${logFile}`);

  const failure = await Promise.race([log.ready, ended.then(() => log.tail.join("\n"))]);
  if (failure !== undefined) {
    if (/Address already in use/.test(failure)) throw busyDatabasePort(port);
    throw new Error(`PostgreSQL did not start: ${failure}`);
  }
  const url = (role: string) => `postgresql://${role}:${PASSWORD}@127.0.0.1:${port}/postgres`;
  return {
    adminUrl: url("supabase_admin"),
    databaseUrl: url("postgres"),
    died,
    async stop() {
      signal(child.pid, "SIGINT");
      const patience = setTimeout(() => signal(child.pid, "SIGQUIT"), 10_000);
      await died;
      clearTimeout(patience);
    },
  };
}

export function busyDatabasePort(port: number): UserError {
  return new UserError(
    `Port ${port} (PostgreSQL) is in use: stop what listens there, or choose another pair of ports with --port ${
      port + 9
    }.`,
  );
}
