// Reads the parts of supabase/config.toml that the local stack acts on; what is absent has the platform's default.
import { dirname, join, resolve } from "node:path";
import { parse } from "smol-toml";
import { z } from "zod";
import { messageOf, UserError } from "./user_error.ts";

const FunctionConfig = z.object({
  enabled: z.boolean().default(true),
  verify_jwt: z.boolean().default(true),
  entrypoint: z.string().optional(),
  import_map: z.string().optional(),
  env: z.record(z.string(), z.string()).default({}),
});

const Template = z.object({ subject: z.string().optional(), content_path: z.string().optional() });

const Provider = z.object({
  enabled: z.boolean().default(false),
  client_id: z.string().optional(),
  secret: z.string().optional(),
});

const Auth = z.object({
  site_url: z.string().default("http://127.0.0.1:3000"),
  additional_redirect_urls: z.array(z.string()).default([]),
  jwt_expiry: z.number().default(3600),
  enable_signup: z.boolean().default(true),
  enable_refresh_token_rotation: z.boolean().default(true),
  refresh_token_reuse_interval: z.number().default(10),
  minimum_password_length: z.number().default(6),
  password_requirements: z.enum([
    "",
    "letters_digits",
    "lower_upper_letters_digits",
    "lower_upper_letters_digits_symbols",
  ])
    .default(""),
  email: z.object({
    /** Today's name; lite knows the older one. */
    enabled: z.boolean().optional(),
    enable_signup: z.boolean().optional(),
    double_confirm_changes: z.boolean().optional(),
    enable_confirmations: z.boolean().optional(),
    secure_password_change: z.boolean().optional(),
    max_frequency: z.string().optional(),
    otp_length: z.number().optional(),
    otp_expiry: z.number().optional(),
    template: z.record(z.string(), Template).optional(),
  }).default({}),
  /** Lite knows these two. */
  external: z.object({ github: Provider.optional(), google: Provider.optional() }).default({}),
  hook: z.object({
    custom_access_token: z.object({ enabled: z.boolean().default(false), uri: z.string() }).optional(),
  }).default({}),
});

const Config = z.object({
  api: z.object({
    schemas: z.array(z.string()).default(["public", "graphql_public"]),
    extra_search_path: z.array(z.string()).default(["public", "extensions"]),
    max_rows: z.number().default(1000),
  }).prefault({}),
  auth: Auth.prefault({}),
  db: z.object({
    seed: z.object({ enabled: z.boolean().default(true), sql_paths: z.array(z.string()).default(["./seed.sql"]) })
      .prefault({}),
  }).prefault({}),
  storage: z.object({ file_size_limit: z.union([z.string(), z.number()]).default("50MiB") }).prefault({}),
  functions: z.record(z.string(), FunctionConfig).default({}),
});

export type FunctionSettings = z.infer<typeof FunctionConfig>;

export interface ProjectConfig extends z.infer<typeof Config> {
  /** The folder that holds config.toml: paths in it are relative to here. */
  directory: string;
}

/** `env(NAME)` in a value stands for an environment variable, as in the official CLI; one that is not set, for nothing. */
function substitute(value: unknown): unknown {
  if (typeof value === "string") {
    const name = /^env\(([A-Za-z_][A-Za-z0-9_]*)\)$/.exec(value)?.[1];
    return name === undefined ? value : Deno.env.get(name) || undefined;
  }
  if (Array.isArray(value)) return value.map(substitute).filter((inner) => inner !== undefined);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, substitute(inner)]));
}

/** Reads a config.toml; a project without one gets the defaults. */
export async function readConfig(file: string): Promise<ProjectConfig> {
  const directory = dirname(resolve(file));
  const text = await Deno.readTextFile(file).catch(() => "");
  try {
    return { ...Config.parse(substitute(parse(text))), directory };
  } catch (thrown) {
    const reason = thrown instanceof z.ZodError ? z.prettifyError(thrown) : messageOf(thrown);
    throw new UserError(`Cannot use ${join(directory, "config.toml")}: ${reason}`);
  }
}

/**
 * Auth as a first minute wants it: an address counts as confirmed at once, and any password of six characters does.
 * `--strict-auth` keeps what config.toml says, which is written for production.
 */
export function relaxAuth({ auth, ...config }: ProjectConfig): ProjectConfig {
  const email = { ...auth.email, enable_confirmations: false };
  const minimum_password_length = Math.min(6, auth.minimum_password_length);
  return { ...config, auth: { ...auth, email, minimum_password_length, password_requirements: "" } };
}

/** Reads sizes like 50MiB, in bytes. */
export function parseSize(size: string | number): number {
  if (typeof size === "number") return size;
  const [, amount, unit = ""] = /^\s*([\d.]+)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(size) ?? [];
  if (amount === undefined) throw new UserError(`Cannot read the size "${size}" in config.toml: write it like 50MiB.`);
  return Math.round(Number(amount) * 1024 ** " kmgt".indexOf(unit.toLowerCase() || " "));
}
