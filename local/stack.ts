// Composes the services into a running stack, and takes it down again in the opposite order.
import { fileURLToPath } from "node:url";
import { join, resolve } from "node:path";
import { startAuthData } from "./auth_data.ts";
import { parseSize, readConfig, relaxAuth } from "./config.ts";
import { startFunctions } from "./functions/mod.ts";
import { busyPort, startGateway } from "./gateway.ts";
import { type Keys, loadKeys, writePrivately } from "./keys.ts";
import { takeLock } from "./lock.ts";
import { openMail } from "./mail.ts";
import { fetchCli, pendingChanges, pushChanges } from "./migrate.ts";
import { applyPlatform, connect, refreshPartitions } from "./platform.ts";
import { busyDatabasePort, startPostgres, stopOrphans } from "./postgres.ts";
import { checkExternalDatabase } from "./external_database.ts";
import { forgetPostgresVariables } from "./postgres_variables.ts";
import { passProxiesBy } from "./proxies.ts";
import { startRealtime } from "./realtime/mod.ts";
import { createStorage } from "./storage/mod.ts";
import { explainFullDisk, explainPlace } from "./user_error.ts";

export interface StackOptions {
  /** The gateway's port; PostgreSQL takes the next one. */
  port?: number;
  /** Where everything that survives a restart is kept. */
  directory?: string;
  /** An existing PostgreSQL to use instead of an own one. */
  databaseUrl?: string;
  /** The folder that holds config.toml, migrations/, seed.sql and functions/. */
  project?: string;
  /** The folder with one folder per function, when it is not the project's. */
  functionsRoot?: string;
  /** Auth as config.toml says, instead of without confirmations and password rules. */
  strictAuth?: boolean;
  /** Gives up the start: what was started is stopped again. */
  signal?: AbortSignal;
  /** Hears what the stack is doing while it boots. */
  progress?(step: string): void;
  /** Hears what services and functions say. */
  log?(line: string): void;
}

export interface Stack {
  url: string;
  /** As the role that migrations run as. */
  databaseUrl: string;
  /** As a superuser. */
  adminDatabaseUrl: string;
  publishableKey: string;
  secretKey: string;
  jwtSecret: string;
  anonKey: string;
  serviceRoleKey: string;
  directory: string;
  /** Names of the migrations and seed files that this start applied. */
  applied: string[];
  /** What does not work on this database, each in a sentence. */
  notices: string[];
  /** Resolves when the stack cannot go on, with the reason. */
  failed: Promise<string>;
  stop(): Promise<void>;
}

export const DEFAULT_PORT = 54321;
export const DEFAULT_DIRECTORY = ".local";
export const REPOSITORY = fileURLToPath(new URL("../", import.meta.url));
const HALF_A_DAY = 12 * 60 * 60 * 1000;

/** Throws the busy port's sentence before anything is started. */
function checkPort(port: number, busy: (port: number) => Error): void {
  try {
    Deno.listen({ hostname: "127.0.0.1", port }).close();
  } catch (thrown) {
    throw thrown instanceof Deno.errors.AddrInUse ? busy(port) : thrown;
  }
}

/** Starts everything; when one part fails, what was started is stopped again before the error is passed on. */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  passProxiesBy();
  forgetPostgresVariables();
  const cleanups: (() => Promise<unknown>)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = () =>
    stopping ??= (async () => {
      for (const cleanup of cleanups.toReversed()) await cleanup();
    })();
  try {
    return await compose(options, cleanups, stop);
  } catch (thrown) {
    await stop();
    throw explainFullDisk(thrown, options.directory ?? DEFAULT_DIRECTORY);
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await Deno.mkdir(path, { recursive: true });
  } catch (thrown) {
    throw explainPlace(thrown, path);
  }
}

async function compose(
  options: StackOptions,
  cleanups: (() => Promise<unknown>)[],
  stop: () => Promise<void>,
): Promise<Stack> {
  const { port = DEFAULT_PORT, log = () => {}, signal } = options;
  const progress = (step: string) => {
    signal?.throwIfAborted();
    options.progress?.(step);
  };
  const directory = resolve(options.directory ?? join(REPOSITORY, DEFAULT_DIRECTORY));
  const project = resolve(options.project ?? join(REPOSITORY, "supabase"));
  const functionsRoot = resolve(options.functionsRoot ?? join(project, "functions"));
  const url = `http://127.0.0.1:${port}`;

  const read = await readConfig(join(project, "config.toml"));
  const config = options.strictAuth ? read : relaxAuth(read);
  const isNew = await Deno.stat(directory).then(() => false, () => true);
  const lock = async () => cleanups.push(await takeLock(directory, url));
  if (!isNew) await lock();
  // A stack that was killed leaves its server on the port.
  if (!options.databaseUrl) await stopOrphans(directory);
  checkPort(port, busyPort);
  if (options.databaseUrl) await checkExternalDatabase(options.databaseUrl, { signal });
  else checkPort(port + 1, busyDatabasePort);
  // Nothing is made before everything that can be checked has been.
  if (isNew) {
    await makeDirectory(directory);
    await lock();
  }
  const keys = await loadKeys(directory);

  progress(options.databaseUrl ? "Connecting to PostgreSQL" : "Starting PostgreSQL");
  // Fetching the CLI is the slowest part of a first start, and needs nothing of what happens meanwhile.
  const fetched = isNew ? fetchCli() : undefined;
  fetched?.catch(() => {});
  const failed = Promise.withResolvers<string>();
  let adminDatabaseUrl: string;
  let databaseUrl: string;
  if (options.databaseUrl) {
    adminDatabaseUrl = databaseUrl = options.databaseUrl;
  } else {
    const postgres = await startPostgres(directory, port + 1);
    cleanups.push(postgres.stop);
    ({ adminUrl: adminDatabaseUrl, databaseUrl } = postgres);
    postgres.died.then((how) => failed.resolve(`PostgreSQL ended by itself (${how}).`));
  }

  progress("Preparing the database");
  await applyPlatform(adminDatabaseUrl);
  const sql = connect(adminDatabaseUrl, { max: 10, prepare: false });
  cleanups.push(() => sql.end({ timeout: 2 }));
  if (!options.databaseUrl) await sql`alter role postgres password 'postgres'`;
  const partitions = setInterval(() => void refreshPartitions(sql).catch((error) => log(String(error))), HALF_A_DAY);
  cleanups.push(() => Promise.resolve(clearInterval(partitions)));

  const applied = await pendingChanges(databaseUrl, config);
  if (applied.length > 0) {
    progress(`Applying ${applied.length} migrations and seed files`);
    const cli = await (fetched ?? fetchCli());
    await pushChanges(cli, databaseUrl, config, signal);
  }

  progress("Starting the services");
  const mail = await openMail(directory);
  const authData = await startAuthData({
    databaseUrl: adminDatabaseUrl,
    gatewayUrl: url,
    keys,
    config,
    deliver: (message) => mail.deliver(message),
  });
  cleanups.push(authData.stop);
  const storage = createStorage({
    sql,
    directory: join(directory, "storage"),
    signingSecret: keys.jwtSecret,
    fileSizeLimitBytes: parseSize(config.storage.file_size_limit),
  });
  const functions = startFunctions({
    root: functionsRoot,
    shared: [join(project, "..", "shared")],
    configDirectory: project,
    settings: config.functions,
    url,
    databaseUrl,
    keys,
    log: (name, line) => log(`[${name}] ${line}`),
  });
  cleanups.push(functions.stop);
  const realtime = await startRealtime({ databaseUrl: adminDatabaseUrl, keys, log });
  const gateway = startGateway({ port, keys, authData, storage, realtime, mail, functions: functions.fetch, log });
  cleanups.push(gateway.stop);
  // Before the gateway, which would wait for open connections.
  cleanups.push(realtime.stop);

  const stackFile = join(directory, "stack.env");
  await writePrivately(stackFile, environmentFile(url, databaseUrl, keys));
  cleanups.push(() => Deno.remove(stackFile).catch(() => {}));
  signal?.throwIfAborted();
  const notices = [realtime.off, functions.unwatched].filter((notice) => notice !== undefined);
  return { ...keys, url, databaseUrl, adminDatabaseUrl, directory, applied, notices, failed: failed.promise, stop };
}

function environmentFile(url: string, databaseUrl: string, keys: Keys): string {
  const values = {
    SUPABASE_URL: url,
    SUPABASE_PUBLISHABLE_KEY: keys.publishableKey,
    SUPABASE_SECRET_KEY: keys.secretKey,
    SUPABASE_DB_URL: databaseUrl,
    SUPABASE_JWT_SECRET: keys.jwtSecret,
  };
  return Object.entries(values).map(([name, value]) => `${name}=${value}\n`).join("");
}
