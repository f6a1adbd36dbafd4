// Applies supabase/migrations and seed.sql through the official CLI, so that they are recorded as production records them.
import { basename, join, relative } from "node:path";
import type { ProjectConfig } from "./config.ts";
import { connect } from "./platform.ts";
import { UserError } from "./user_error.ts";

/** Its platform builds are not all on every registry mirror, so it cannot be a pin in deno.json: npx fetches it. */
const CLI = "supabase@3.1.0";

const ENVIRONMENT = { DO_NOT_TRACK: "1", NO_COLOR: "1" };

interface MigrationFile {
  version: string;
  path: string;
}

async function migrationFiles(project: ProjectConfig): Promise<MigrationFile[]> {
  const folder = join(project.directory, "migrations");
  const files: MigrationFile[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const version = /^(\d+)_.*\.sql$/.exec(name)?.[1];
      if (version) files.push({ version, path: join(folder, name) });
    }
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}

/** The seed files of config.toml that exist, by the path that the CLI records. */
async function seedFiles(project: ProjectConfig): Promise<{ path: string; recordedAs: string }[]> {
  if (!project.db.seed.enabled) return [];
  const files = project.db.seed.sql_paths.map((path) => join(project.directory, path));
  const present = await Promise.all(files.map((path) => Deno.stat(path).then(() => true, () => false)));
  const root = join(project.directory, "..");
  return files.filter((_, index) => present[index]).map((path) => ({ path, recordedAs: relative(root, path) }));
}

async function sha256(path: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(path))).toHex();
}

/** What the database has not got yet: names of migrations, and of seed files that are new or changed. */
export async function pendingChanges(databaseUrl: string, project: ProjectConfig): Promise<string[]> {
  const sql = connect(databaseUrl);
  try {
    const [exists] = await sql`
      select to_regclass('supabase_migrations.schema_migrations') is not null as migrations,
             to_regclass('supabase_migrations.seed_files') is not null as seeds`;
    const applied = exists?.migrations
      ? new Set((await sql`select version from supabase_migrations.schema_migrations`).map((row) => row.version))
      : new Set();
    const seeded = exists?.seeds
      ? new Map((await sql`select path, hash from supabase_migrations.seed_files`).map((row) => [row.path, row.hash]))
      : new Map();
    const migrations = (await migrationFiles(project)).filter(({ version }) => !applied.has(version));
    const pending = migrations.map(({ path }) => basename(path));
    for (const { path, recordedAs } of await seedFiles(project)) {
      if (seeded.get(recordedAs) !== await sha256(path)) pending.push(basename(path));
    }
    return pending;
  } finally {
    await sql.end();
  }
}

/** Ours, without what it says of other databases (`PGSSLMODE`) and projects: the CLI would go by it. */
function environment(): Record<string, string> {
  return Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => !/^(PG|SUPABASE_)[A-Z]/.test(name)));
}

function run(command: string, args: string[], cwd: string, signal?: AbortSignal): Promise<Deno.CommandOutput> {
  const env = { ...environment(), ...ENVIRONMENT };
  const options = { args, cwd, clearEnv: true, env, stdin: "null", stdout: "piped", stderr: "piped" } as const;
  return new Deno.Command(command, signal ? { ...options, signal } : options).output();
}

function textOf({ stdout, stderr }: Deno.CommandOutput): string {
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return text.split("\n").filter((line) => line.trim() && !/^npm (warn|notice)/.test(line)).slice(-40).join("\n");
}

/** Fetches the CLI and answers where it is: calling it there later saves what npx takes to find it again. */
export async function fetchCli(): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await run("npx", ["-y", `--package=${CLI}`, "-c", "command -v supabase"], Deno.cwd());
  } catch {
    throw new UserError("The migrations are applied with the Supabase CLI, which npx fetches: install Node and npm.");
  }
  const path = new TextDecoder().decode(output.stdout).trim();
  if (!output.success || !path) throw new UserError(`Cannot fetch ${CLI} with npx:\n${textOf(output)}`);
  return path;
}

/** Brings the database up to date. Throws UserError with what the CLI said about the failing statement. */
export async function pushChanges(
  cli: string,
  databaseUrl: string,
  project: ProjectConfig,
  signal?: AbortSignal,
): Promise<void> {
  const args = ["db", "push", `--remote=${databaseUrl}`, "--include-seed", "--yes"];
  const output = await run(cli, args, join(project.directory, ".."), signal);
  signal?.throwIfAborted();
  if (!output.success) throw new UserError(`The migrations cannot be applied:\n${textOf(output)}`);
}

/** Applies every migration without recording it: for template databases of tests. */
export async function applyMigrationFiles(databaseUrl: string, project: ProjectConfig): Promise<void> {
  const sql = connect(databaseUrl);
  try {
    for (const { path } of await migrationFiles(project)) {
      await sql.unsafe(await Deno.readTextFile(path)).catch((error: Error) => {
        throw new Error(`${basename(path)}: ${error.message}`, { cause: error });
      });
    }
  } finally {
    await sql.end();
  }
}
