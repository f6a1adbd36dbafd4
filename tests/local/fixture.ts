// A stack of its own on free ports, over a throw-away project of a few lines: for what the real project must not be bent to.
import { dirname, join } from "node:path";
import { type Stack, startStack } from "../../local/stack.ts";
import { freePort } from "../support/free_port.ts";

export { eventually } from "../support/eventually.ts";

export interface Fixture extends Stack {
  /** The project's folder: functions/ is in it. */
  project: string;
  /** What services and functions said so far. */
  lines: string[];
  write(path: string, text: string): Promise<void>;
  dispose(): Promise<void>;
}

/** @param files by path inside the project's folder */
export async function startFixture(files: Record<string, string>): Promise<Fixture> {
  const root = await Deno.makeTempDir({ prefix: "genesis-test-" });
  const project = join(root, "supabase");
  const write = async (path: string, text: string) => {
    await Deno.mkdir(dirname(join(project, path)), { recursive: true });
    await Deno.writeTextFile(join(project, path), text);
  };
  for (const [path, text] of Object.entries(files)) await write(path, text);
  // As root, PostgreSQL runs as another user, who must be able to pass through here.
  await Deno.chmod(root, 0o755);
  const lines: string[] = [];
  const stack = await startStack({
    port: freePort(),
    directory: join(root, "state"),
    project,
    strictAuth: true,
    log: (line) => lines.push(line),
  });
  return {
    ...stack,
    project,
    lines,
    write,
    async dispose() {
      await stack.stop();
      await Deno.remove(root, { recursive: true });
    },
  };
}
