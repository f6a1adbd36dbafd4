// Command line of the local stack: start | stop | reset.
import { resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { onNpxEnded } from "./npx_parent.ts";
import { outliveTerminal } from "./outlive_terminal.ts";
import { reset } from "./reset.ts";
import { DEFAULT_DIRECTORY, DEFAULT_PORT, REPOSITORY, type Stack, startStack } from "./stack.ts";
import { stopStack } from "./stop.ts";
import { printTable } from "./table.ts";
import { messageOf, UserError } from "./user_error.ts";

const HELP =
  `Runs the whole backend on this machine: PostgreSQL, Auth, Data API, Storage, Realtime, edge functions, mail.

  deno task start [--port N] [--dir D] [--database-url U] [--strict-auth]   run it in the foreground
  deno task stop  [--dir D]                                                 stop the one that runs
  deno task reset [--dir D]                                                 stop it and delete its data

  --port N           the URL's port, 1024 to 65534 (default ${DEFAULT_PORT}); PostgreSQL takes N + 1
  --dir D            where data, keys and mail are kept (default ${DEFAULT_DIRECTORY} in the repository)
  --database-url U   use this PostgreSQL (17 or newer, as a superuser) instead of an own one
  --strict-auth      ask for confirmed addresses and strong passwords, as config.toml does (mail is at /mail)
  --help             show this
`;

interface Arguments {
  command: string;
  port: number;
  directory: string;
  databaseUrl?: string;
  strictAuth: boolean;
}

/** Reads the command line. Throws UserError for anything it does not know. */
export function readArguments(args: string[]): Arguments | "help" {
  const parsed = (() => {
    try {
      return parseArgs({
        args,
        allowPositionals: true,
        options: {
          port: { type: "string" },
          dir: { type: "string" },
          "database-url": { type: "string" },
          "strict-auth": { type: "boolean" },
          help: { type: "boolean", short: "h" },
        },
      });
    } catch (thrown) {
      // Of several sentences, the first says what is wrong.
      const [message = ""] = messageOf(thrown).split(/\.\s/);
      const [, option] = /^Option '(\S+)' argument is ambiguous/.exec(message) ?? [];
      const fault = option ? `A value of ${option} that begins with a dash needs an equals sign before it` : message;
      throw new UserError(`${fault}. See --help.`);
    }
  })();
  const { values, positionals: [command = "start", ...rest] } = parsed;
  if (values.help) return "help";
  if (!["start", "stop", "reset"].includes(command) || rest.length > 0) {
    throw new UserError(`Unknown command '${[command, ...rest].join(" ")}': use start, stop or reset. See --help.`);
  }
  const port = Number(values.port ?? DEFAULT_PORT);
  if (!Number.isInteger(port) || port < 1024 || port > 65534) {
    throw new UserError(`--port must be a whole number from 1024 to 65534: got '${values.port}'.`);
  }
  if (values.dir === "") throw new UserError("--dir must not be empty: leave it out for the usual directory.");
  const directory = values.dir === undefined ? resolve(REPOSITORY, DEFAULT_DIRECTORY) : resolve(values.dir);
  const databaseUrl = values["database-url"];
  if (databaseUrl === "") throw new UserError("--database-url must not be empty: leave it out for an own PostgreSQL.");
  const strictAuth = values["strict-auth"] ?? false;
  return { command, port, directory, strictAuth, ...(databaseUrl === undefined ? {} : { databaseUrl }) };
}

/** Aborts at the first signal that asks the stack to end. */
function endingSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
    Deno.addSignalListener(name, () => controller.abort());
  }
  void onNpxEnded(() => controller.abort());
  return controller.signal;
}

async function start({ port, directory, databaseUrl, strictAuth }: Arguments): Promise<number> {
  const began = performance.now();
  const signal = endingSignal();
  const asked = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
  // A fault in one request must not take the stack, and with it the database, away from all others.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    console.error("Unhandled:", event.reason);
  });
  // Nor one in an event or a timer, which may be a library's.
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    console.error("Unhandled:", event.error);
  });
  let stack: Stack;
  try {
    stack = await startStack({
      port,
      directory,
      strictAuth,
      signal,
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
      progress: (step) => console.log(`${step} …`),
      log: (line) => console.log(line),
    });
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
    console.log("Stopped before it was ready.");
    return 0;
  }
  await printTable(stack, performance.now() - began);
  for (const notice of stack.notices) console.log(notice);
  const failure = await Promise.race([asked, stack.failed]);
  console.log("Stopping …");
  await stack.stop();
  if (failure) throw new UserError(failure);
  console.log("Stopped.");
  return 0;
}

async function main(args: string[]): Promise<number> {
  try {
    const parsed = readArguments(args);
    if (parsed === "help") {
      console.log(HELP);
      return 0;
    }
    if (parsed.command === "start") return await start(parsed);
    const lines = parsed.command === "stop" ? await stopStack(parsed.directory) : await reset(parsed.directory);
    for (const line of lines) console.log(line);
    return 0;
  } catch (thrown) {
    // What we did not foresee is shown whole, so that it can be reported.
    console.error(thrown instanceof UserError ? thrown.message : thrown);
    return 1;
  }
}

if (import.meta.main) {
  outliveTerminal();
  process.exit(await main(Deno.args));
}
