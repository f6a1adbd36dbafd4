// `deno task test`: one stack, one migrated template database, then every test file in parallel against them. With
// SUPABASE_URL and the keys in the environment it uses that stack instead of starting one.
//
//   deno task test                          everything
//   deno task test tests/database           one folder; other arguments go to `deno test` too
import { listenAllAlong } from "./support/listener.ts";
import { startTestStack } from "./support/test_stack.ts";

const ROOT = new URL("../", import.meta.url);

/** Runs `deno test` and counts what its closing lines say. */
async function runTests(args: string[], env: Record<string, string>) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--quiet", "-A", "--no-check", "--parallel", ...args],
    cwd: ROOT,
    env: { ...env, DENO_JOBS: Deno.env.get("DENO_JOBS") ?? "3" },
    stdin: "null",
    stdout: "piped",
  }).spawn();
  let tail = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    Deno.stdout.writeSync(chunk);
    tail = (tail + decoder.decode(chunk, { stream: true })).slice(-2000);
  }
  const { code } = await child.status;
  // deno-lint-ignore no-control-regex
  const plain = tail.replaceAll(/\x1b\[[0-9;]*m/g, "");
  const [, passed = "0", failed = "0"] = /(\d+) passed.*?\| (\d+) failed/.exec(plain) ?? [];
  const ignored = /(\d+) ignored/.exec(plain)?.[1] ?? "0";
  return { code, passed: Number(passed), failed: Number(failed), ignored: Number(ignored) };
}

const log = Deno.env.has("TEST_LOG") ? (line: string) => console.error(line) : undefined;
const stack = Deno.env.has("SUPABASE_URL") ? undefined : await startTestStack(log);
let result = { code: 1, passed: 0, failed: 0, ignored: 0 };
let listener: AsyncDisposable | undefined;
try {
  listener = stack && await listenAllAlong(stack.env);
  result = await runTests(Deno.args.length > 0 ? Deno.args : ["tests/"], stack?.env ?? {});
} finally {
  await listener?.[Symbol.asyncDispose]();
  await stack?.[Symbol.asyncDispose]();
}
const { code, passed, failed, ignored } = result;
console.log(`${passed} passed, ${failed} failed${ignored > 0 ? `, ${ignored} skipped` : ""}`);
Deno.exit(code === 0 && passed === 0 ? 1 : code);
