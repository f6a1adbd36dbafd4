// `deno task gen`: starts a stack of its own, and writes every generated file from it.
import { startStack } from "../../local/stack.ts";
import { freePort } from "../support/free_port.ts";
import { generatedFiles } from "./generated.ts";

const directory = await Deno.makeTempDir({ prefix: "genesis-gen-" });
// As root the database runs as another user, who has to get at it.
await Deno.chmod(directory, 0o755);
const stack = await startStack({ port: freePort(), directory, progress: (step) => console.error(step) });
try {
  for (const [path, text] of await generatedFiles(stack.databaseUrl)) {
    await Deno.writeTextFile(new URL(`../../${path}`, import.meta.url), text);
    console.log(`Wrote ${path}`);
  }
} finally {
  await stack.stop();
  await Deno.remove(directory, { recursive: true });
}
