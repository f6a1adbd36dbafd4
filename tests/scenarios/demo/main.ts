// The demo: `deno task demo`. Tells one story from sign-up to a completed execution on a stack that runs, or on one that
// it starts for it.
import { parseArgs } from "node:util";
import { onNpxEnded } from "../../../local/npx_parent.ts";
import { outliveTerminal } from "../../../local/outlive_terminal.ts";
import { taskLine } from "../../../local/task_line.ts";
import { messageOf, UserError } from "../../../local/user_error.ts";
import { canRedraw, liveView } from "./live_view.ts";
import { type UsedStack, useStack } from "./stack.ts";
import { StepFailure } from "./step.ts";
import { tellStory, type Told } from "./story.ts";
import { styles } from "./styles.ts";
import { plainView, type View } from "./view.ts";

const HELP =
  `Runs one story from end to end: people, a project, an imported workflow, five agents, files, a collaborator.

  deno task demo [--json] [--port N] [--dir D]

It happens on the stack that SUPABASE_URL, SUPABASE_PUBLISHABLE_KEY and SUPABASE_SECRET_KEY name, else on the one that
runs here, else on one that is started for it and stopped afterwards.

  --json     print one line of JSON at the end, and everything else on stderr; "seconds" counts from a running stack
  --port N   the port of the stack (PostgreSQL takes N + 1)
  --dir D    where the stack keeps its data and keys
  --help     show this

DEMO_EMAIL_DOMAIN names another domain than example.com for the people's addresses.
`;

/** What a stack of our own said last, to be shown when the story breaks off. */
const said: string[] = [];
const KEPT_LINES = 5;

function keep(line: string): void {
  said.push(line.length > 500 ? `${line.slice(0, 500)}…` : line);
  said.splice(0, said.length - KEPT_LINES);
}

interface Arguments {
  json: boolean;
  help: boolean;
  port?: number;
  directory?: string;
}

function readArguments(args: string[]): Arguments {
  const { values } = (() => {
    try {
      return parseArgs({
        args,
        options: {
          json: { type: "boolean" },
          port: { type: "string" },
          dir: { type: "string" },
          help: { type: "boolean", short: "h" },
        },
      });
    } catch (thrown) {
      throw new UserError(`${messageOf(thrown).split(". ")[0]}. See --help.`);
    }
  })();
  const port = values.port === undefined ? undefined : Number(values.port);
  if (port !== undefined && (!Number.isInteger(port) || port < 1024 || port > 65534)) {
    throw new UserError(`--port must be a whole number from 1024 to 65534: got '${values.port}'.`);
  }
  return {
    json: values.json ?? false,
    help: values.help ?? false,
    ...(port === undefined ? {} : { port }),
    ...(values.dir === undefined ? {} : { directory: values.dir }),
  };
}

/** What was made and what to do next. */
function summary({ outcome, owner, projectName }: Told, stack: UsedStack, seconds: number): string {
  const { tasks, artifacts, files, collaborators } = outcome;
  const isGone = stack.origin === "started";
  const start = taskLine("start", { directory: stack.directory, port: Number(new URL(stack.url).port) });
  return `
${
    styles.bold(
      `The execution is completed: ${tasks} tasks, ${artifacts} artifacts, ${files} file, ${collaborators} collaborator${
        collaborators === 1 ? "" : "s"
      } in ${seconds} s.`,
    )
  }

Next:
${isGone ? `  ${start}   everything the demo made is still there\n` : ""}  ${stack.url}${
    collaborators > 0 ? `\n  ${stack.url}/mail   the invitation` : ""
  }
  Project "${projectName}" belongs to ${owner.email}
  whose password is ${owner.password}`;
}

async function run({ json, port, directory }: Arguments, view: View, signal: AbortSignal): Promise<void> {
  const stack = await useStack({
    signal,
    progress: (step) => view.say(styles.dim(`  ${step} …`)),
    log: keep,
    ...(port === undefined ? {} : { port }),
    ...(directory === undefined ? {} : { directory }),
  });
  try {
    signal.throwIfAborted();
    view.say(`${stack.origin === "started" ? "Started a stack" : "Using the stack"} at ${stack.url}`);
    const began = performance.now();
    const told = await tellStory(stack, view, signal);
    const seconds = Math.round((performance.now() - began) / 100) / 10;
    view.close();
    console.log(json ? JSON.stringify({ ...told.outcome, seconds }) : summary(told, stack, seconds));
  } finally {
    view.close();
    await stack.leave();
  }
}

async function main(args: string[]): Promise<number> {
  const interrupted = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
    Deno.addSignalListener(name, () => interrupted.abort());
  }
  void onNpxEnded(() => interrupted.abort());
  let view: View | undefined;
  try {
    const parsed = readArguments(args);
    if (parsed.help) {
      console.log(HELP);
      return 0;
    }
    view = parsed.json ? plainView(console.error) : canRedraw() ? liveView() : plainView(console.log);
    await run(parsed, view, interrupted.signal);
    return 0;
  } catch (thrown) {
    view?.close();
    if (interrupted.signal.aborted) {
      console.error("Stopped before the end of the story.");
      return 130;
    }
    if (!(thrown instanceof UserError || thrown instanceof StepFailure)) throw thrown;
    for (const line of said) console.error(styles.dim(`  ${line}`));
    console.error(styles.red(thrown.message));
    return 1;
  }
}

if (import.meta.main) {
  outliveTerminal();
  Deno.exit(await main(Deno.args));
}
