// A function in a process of its own, outside the stack: to see whether it survives, what it costs, and what it does
// when a neighbour fails. It runs by `deno serve`, as any host of `export default { fetch }` would run it.
import { decodeProtectedHeader } from "jose";
import { fileURLToPath } from "node:url";
import { signUp } from "../support/actors.ts";
import { stack } from "../support/stack.ts";

const FUNCTIONS = new URL("../../supabase/functions/", import.meta.url);

export interface FunctionProcess extends AsyncDisposable {
  /** The function itself, e.g. http://127.0.0.1:1234/upload-file */
  url: string;
  /** What it wrote so far. */
  log(): string;
  isRunning(): boolean;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Memory that it holds, and the most it has ever held, in bytes; null where the system does not say. */
  memory(): Promise<{ now: number; peak: number } | null>;
  /** How long it has computed, in seconds, however busy the machine is with others; null where the system does not say. */
  computed(): Promise<number | null>;
}

/** The environment that the platform gives, for the stack the tests talk to. */
export async function platformEnvironment(supabaseUrl = stack.url): Promise<Record<string, string>> {
  const { kid = "" } = decodeProtectedHeader((await signUp("kid")).token);
  const k = new TextEncoder().encode(stack.jwtSecret).toBase64({ alphabet: "base64url", omitPadding: true });
  return {
    SUPABASE_URL: supabaseUrl,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: stack.publishableKey }),
    SUPABASE_SECRET_KEYS: JSON.stringify({ default: stack.secretKey }),
    SUPABASE_JWKS: JSON.stringify({ keys: [{ kty: "oct", alg: "HS256", kid, k }] }),
  };
}

/** Starts a function by name; throws with what it wrote when it ends before it listens. */
export async function startFunctionProcess(
  name: string,
  environment?: Record<string, string>,
): Promise<FunctionProcess> {
  const { PATH = "", HOME = "", DENO_DIR = "" } = Deno.env.toObject();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["serve", "--host", "127.0.0.1", "--port", "0", "--no-lock", "--no-check", "--no-prompt"],
      ...["--allow-env", "--allow-net", "--allow-read", "--allow-sys"],
      ...[
        "--config",
        fileURLToPath(new URL("deno.json", FUNCTIONS)),
        fileURLToPath(new URL(`${name}/index.ts`, FUNCTIONS)),
      ],
    ],
    clearEnv: true,
    env: {
      PATH,
      HOME,
      ...(DENO_DIR ? { DENO_DIR } : {}),
      NO_COLOR: "1",
      ...environment ?? await platformEnvironment(),
    },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();

  let text = "";
  let isRunning = true;
  const listening = Promise.withResolvers<string>();
  const reading = (async () => {
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const port = /Listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(text)?.[1];
      if (port) listening.resolve(`http://127.0.0.1:${port}/${name}`);
    }
  })();
  const ended = child.status.then(async ({ code }) => {
    isRunning = false;
    await reading;
    listening.reject(new Error(`${name} ended with code ${code} before it listened: ${text}`));
  });
  return {
    url: await listening.promise,
    log: () => text,
    isRunning: () => isRunning,
    async kill() {
      if (isRunning) child.kill("SIGKILL");
      await ended;
    },
    async memory() {
      const status = await Deno.readTextFile(`/proc/${child.pid}/status`).catch(() => "");
      const bytesOf = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024;
      return status ? { now: bytesOf("VmRSS"), peak: bytesOf("VmHWM") } : null;
    },
    async computed() {
      const text = await Deno.readTextFile(`/proc/${child.pid}/stat`).catch(() => "");
      // Behind the name in brackets, which may hold anything: hundredths of a second in its own code and the system's.
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return text ? (Number(fields[11]) + Number(fields[12])) / 100 : null;
    },
    async [Symbol.asyncDispose]() {
      if (isRunning) child.kill("SIGKILL");
      await ended;
    },
  };
}
