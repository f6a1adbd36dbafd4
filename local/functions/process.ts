// One running function: starts its Deno process, learns its port, forwards its output, and ends it.
import { fileURLToPath } from "node:url";
import { configFlags } from "./prepare.ts";

export interface FunctionSource {
  name: string;
  /** The file to run, as a URL. */
  entrypoint: string;
  /** deno.json or import map that its imports are looked up in. */
  config?: string;
  environment: Record<string, string>;
}

export interface FunctionProcess {
  port: number;
  ended: Promise<void>;
  kill(): void;
}

const BOOT = fileURLToPath(new URL("./boot.ts", import.meta.url));

/** Close to what the platform's runtime allows: network, reading, /tmp; no programs, no native libraries. */
const PERMISSIONS = ["--allow-env", "--allow-net", "--allow-read", "--allow-sys", "--allow-write=/tmp", "--no-prompt"];

async function forward(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  line: (text: string) => void,
): Promise<void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(line);
  }
  if (rest) line(rest);
}

/** Starts a function; rejects when it ends before it listens. What it says goes to `log` either way. */
export async function startFunction(
  source: FunctionSource,
  log: (line: string) => void,
): Promise<FunctionProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-lock", "--no-check", ...PERMISSIONS],
      ...configFlags(source.config),
      BOOT,
    ],
    // The runtime itself needs the rest (its cache, a proxy, certificates); boot.ts hides it from the function's code.
    env: source.environment,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();

  const marker = `${crypto.randomUUID()} `;
  const boot = { entrypoint: source.entrypoint, visible: Object.keys(source.environment), marker };
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(JSON.stringify(boot) + "\n")).catch(() => {});

  const listening = Promise.withResolvers<number>();
  const output = forward(child.stdout, (line) => {
    if (line.startsWith(marker)) listening.resolve(Number(line.slice(marker.length)));
    else log(line);
  });
  const ended = Promise.all([child.status, output, forward(child.stderr, log)]).then(([status]) => {
    input.abort().catch(() => {});
    listening.reject(new Error(`it ended with code ${status.code} before it listened`));
  });
  return {
    port: await listening.promise,
    ended,
    kill() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It is gone already.
      }
    },
  };
}
