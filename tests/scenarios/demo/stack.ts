// Where the story happens: a stack given in the environment, one that already runs here, or one started for it.
import { join, resolve } from "node:path";
import { passProxiesBy } from "../../../local/proxies.ts";
import { DEFAULT_DIRECTORY, REPOSITORY, startStack } from "../../../local/stack.ts";
import { UserError } from "../../../local/user_error.ts";

export interface StackAccess {
  url: string;
  publishableKey: string;
  secretKey: string;
}

/** A stack, how it was come by, and how to leave it. */
export interface UsedStack extends StackAccess {
  origin: "environment" | "running" | "started";
  /** The state directory, of a stack on this machine. */
  directory?: string;
  leave(): Promise<void>;
}

export interface StackChoice {
  port?: number;
  directory?: string;
  signal: AbortSignal;
  progress(step: string): void;
  /** Hears what a stack that is started here says. */
  log(line: string): void;
}

const NAMES = ["SUPABASE_URL", "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_SECRET_KEY"] as const;

/** Reads the three values every stack has; nothing when one is missing. */
function access(values: (name: string) => string | undefined): StackAccess | undefined {
  const [url, publishableKey, secretKey] = NAMES.map(values);
  if (!url || !publishableKey || !secretKey) return undefined;
  return { url: url.replace(/\/+$/, ""), publishableKey, secretKey };
}

/** Whether a stack with our functions answers there: a left-over stack.env says nothing by itself. */
async function answers({ url, publishableKey }: StackAccess): Promise<boolean> {
  try {
    const response = await fetch(`${url}/functions/v1/start-workflow/health`, {
      headers: { apikey: publishableKey },
      signal: AbortSignal.timeout(20_000),
    });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function fromEnvironment(): Promise<UsedStack | undefined> {
  const set = NAMES.filter((name) => Deno.env.get(name));
  if (set.length === 0) return undefined;
  const found = access((name) => Deno.env.get(name));
  if (!found) {
    const missing = NAMES.filter((name) => !Deno.env.get(name));
    throw new UserError(`${set.join(" and ")} came without ${missing.join(" and ")}: set all three or none.`);
  }
  if (!await answers(found)) {
    throw new UserError(
      `Nothing answers at ${found.url}/functions/v1/start-workflow/health: start that stack, deploy the functions, ` +
        "or unset SUPABASE_URL to let the demo start a stack of its own.",
    );
  }
  return { ...found, origin: "environment", leave: () => Promise.resolve() };
}

async function running(directory: string, port?: number): Promise<UsedStack | undefined> {
  const text = await Deno.readTextFile(join(directory, "stack.env")).catch(() => "");
  const values = new Map(
    text.split("\n").map((line) => {
      const [, name = "", value = ""] = /^(\w+)=(.*)$/.exec(line) ?? [];
      return [name, value];
    }),
  );
  const found = access((name) => values.get(name));
  if (!found || (port !== undefined && new URL(found.url).port !== String(port)) || !await answers(found)) {
    return undefined;
  }
  return { ...found, origin: "running", directory, leave: () => Promise.resolve() };
}

/**
 * Finds a stack or starts one. The command line goes before the environment.
 * Throws UserError with one sentence when there is none and none can be started.
 */
export async function useStack({ port, directory, signal, progress, log }: StackChoice): Promise<UsedStack> {
  passProxiesBy();
  const isChosen = port !== undefined || directory !== undefined;
  const given = isChosen ? undefined : await fromEnvironment();
  if (given) return given;
  const place = resolve(directory ?? join(REPOSITORY, DEFAULT_DIRECTORY));
  const other = await running(place, port);
  if (other) return other;
  const stack = await startStack({ directory: place, signal, progress, log, ...(port === undefined ? {} : { port }) });
  return {
    url: stack.url,
    publishableKey: stack.publishableKey,
    secretKey: stack.secretKey,
    origin: "started",
    directory: place,
    leave: () => stack.stop(),
  };
}
