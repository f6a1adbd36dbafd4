// Runs inside a function's own process: shows its code the platform's environment and nothing else, serves it on a free
// loopback port, and ends when the stack is gone. It imports nothing, so that it adds nothing to a cold start.

interface Boot {
  entrypoint: string;
  /** Names of the environment variables that the function may see. */
  visible: string[];
  /** Marks the one line of output that is meant for the stack. */
  marker: string;
}

/** The stack says what to run in one line of standard input, which no function sees. */
function readBoot(): Boot {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (!text.includes("\n")) {
    const length = Deno.stdin.readSync(buffer);
    if (length === null) Deno.exit(0);
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
  return JSON.parse(text);
}

const { entrypoint, visible, marker } = readBoot();
for (const name of Object.keys(Deno.env.toObject())) if (!visible.includes(name)) Deno.env.delete(name);

// Standard input stays open as long as the stack lives.
(async () => {
  const buffer = new Uint8Array(1);
  while (await Deno.stdin.read(buffer) !== null);
  Deno.exit(0);
})();

const serve = Deno.serve;
let isServing = false;

function listen(handler: Deno.ServeHandler): Deno.HttpServer {
  isServing = true;
  const announce = ({ port }: { port: number }) =>
    Deno.stdout.writeSync(new TextEncoder().encode(`${marker}${port}\n`));
  return serve({ hostname: "127.0.0.1", port: 0, onListen: announce as (address: Deno.Addr) => void }, handler);
}

// As on the platform, whatever port or host the code asks for, it gets the runtime's own.
Deno.serve = ((first: Deno.ServeHandler | { handler?: Deno.ServeHandler }, second?: Deno.ServeHandler) => {
  const handler = typeof first === "function" ? first : second ?? first.handler;
  if (!handler) throw new TypeError("Deno.serve needs a handler");
  return listen(handler);
}) as typeof Deno.serve;

Object.assign(globalThis, {
  EdgeRuntime: {
    waitUntil(work: Promise<unknown>): void {
      work.catch((thrown) => console.error("waitUntil:", thrown));
    },
  },
});

const module = await import(entrypoint);
if (!isServing && typeof module.default?.fetch === "function") {
  listen((request) => module.default.fetch(request));
} else if (!isServing) {
  throw new Error(`${entrypoint} neither exports default { fetch } nor calls Deno.serve`);
}
