// Finds a function's files and settings the way the official CLI does, and makes its environment the platform's.
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseEnv } from "node:util";
import type { FunctionSettings } from "../config.ts";
import { KEY_ID, type Keys } from "../keys.ts";
import type { FunctionSource } from "./process.ts";

export interface SourceOptions {
  /** The folder with one folder per function. */
  root: string;
  /** Paths in config.toml are relative to its own folder. */
  configDirectory: string;
  settings: Record<string, FunctionSettings>;
  url: string;
  databaseUrl: string;
  keys: Keys;
}

const DEFAULTS: FunctionSettings = { enabled: true, verify_jwt: true, env: {} };

export function settingsOf(options: SourceOptions, name: string): FunctionSettings {
  return (Object.hasOwn(options.settings, name) ? options.settings[name] : undefined) ?? DEFAULTS;
}

function exists(path: string): Promise<boolean> {
  return Deno.stat(path).then((found) => found.isFile, () => false);
}

function entrypointOf(options: SourceOptions, name: string): string {
  const { entrypoint } = settingsOf(options, name);
  return entrypoint ? resolve(options.configDirectory, entrypoint) : join(options.root, name, "index.ts");
}

/** Whether there is a function of this name to call. */
export async function isFunction(options: SourceOptions, name: string): Promise<boolean> {
  if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(name) || !settingsOf(options, name).enabled) return false;
  return await exists(entrypointOf(options, name));
}

/** The functions there are, by folder and by config.toml. */
export async function functionNames(options: SourceOptions): Promise<string[]> {
  const names = new Set(Object.keys(options.settings));
  try {
    for await (const entry of Deno.readDir(options.root)) if (entry.isDirectory) names.add(entry.name);
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
  const found = await Promise.all([...names].map(async (name) => await isFunction(options, name) ? [name] : []));
  return found.flat();
}

async function configOf(options: SourceOptions, name: string): Promise<string | undefined> {
  const { import_map } = settingsOf(options, name);
  if (import_map) return resolve(options.configDirectory, import_map);
  const folders = [join(options.root, name), options.root];
  for (const folder of folders) {
    for (const file of ["deno.json", "deno.jsonc", "import_map.json"]) {
      if (await exists(join(folder, file))) return join(folder, file);
    }
  }
}

function platformEnvironment({ url, databaseUrl, keys }: SourceOptions): Record<string, string> {
  const key = new TextEncoder().encode(keys.jwtSecret).toBase64({ alphabet: "base64url", omitPadding: true });
  return {
    SUPABASE_URL: url,
    SUPABASE_DB_URL: databaseUrl,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: keys.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: keys.secretKey }),
    SUPABASE_JWKS: JSON.stringify({ keys: [{ kty: "oct", alg: "HS256", use: "sig", kid: KEY_ID, k: key }] }),
    SUPABASE_ANON_KEY: keys.anonKey,
    SUPABASE_SERVICE_ROLE_KEY: keys.serviceRoleKey,
    SB_REGION: "local",
    SB_EXECUTION_ID: crypto.randomUUID(),
  };
}

/** Everything needed to start a function. The user's own variables cannot replace the platform's, as on the platform. */
export async function sourceOf(options: SourceOptions, name: string): Promise<FunctionSource> {
  const own = parseEnv(await Deno.readTextFile(join(options.root, ".env")).catch(() => "")) as Record<string, string>;
  return {
    name,
    entrypoint: pathToFileURL(entrypointOf(options, name)).href,
    config: await configOf(options, name),
    environment: { ...own, ...settingsOf(options, name).env, ...platformEnvironment(options) },
  };
}
