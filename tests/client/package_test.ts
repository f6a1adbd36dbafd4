// `deno task package`: what an app installs runs in Node as it is, and its declarations are enough for TypeScript.
import { fileURLToPath } from "node:url";
import { assertEquals } from "@std/assert";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
// Inside the repository, so that the package finds its peers; its own name leads to itself there.
const out = `${ROOT}dist/test-${crypto.randomUUID()}`;

/** What it wrote to stdout, which is where tsc writes its errors. */
async function run(command: string, args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command(command, { args, cwd: out }).output();
  return new TextDecoder().decode(stdout);
}

async function inPackage(test: () => Promise<void>): Promise<void> {
  try {
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", `${ROOT}shared/npm/build.ts`, "--out", out],
      cwd: ROOT,
    }).output();
    assertEquals([code, code === 0 ? "" : new TextDecoder().decode(stderr)], [0, ""]);
    await test();
  } finally {
    await Deno.remove(out, { recursive: true }).catch(() => {});
  }
}

/** What the command says of these arguments, and how it ends. */
async function packageWith(...args: string[]): Promise<[number, string]> {
  const command = ["run", "-A", "--no-check", `${ROOT}shared/npm/build.ts`, ...args];
  const { code, stderr } = await new Deno.Command(Deno.execPath(), { args: command, cwd: ROOT }).output();
  return [code, new TextDecoder().decode(stderr).trim()];
}

Deno.test("a folder that holds something else is not replaced by the package", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/mine.txt`, "mine");
  assertEquals(await packageWith("--out", folder), [
    1,
    `${folder} holds something else: choose an empty folder with --out.`,
  ]);
  assertEquals(await Deno.readTextFile(`${folder}/mine.txt`), "mine");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("what the command does not know is refused in a sentence", async () => {
  const [code, said] = await packageWith("--bogus");
  assertEquals([code, said.split("\n").length, said.startsWith("Unknown option '--bogus'.")], [1, 1, true]);
});

const PROGRAM = `
import { createClient } from "@supabase/supabase-js";
import { createGenesis, type Database, type Genesis } from "@genesis-engine/client";
import { createBrowserGenesis } from "@genesis-engine/client/next/browser";
import { createServerGenesis } from "@genesis-engine/client/next/server";
import { GenesisProvider, useExecution } from "@genesis-engine/client/react";

export const genesis: Genesis = createGenesis(createClient<Database>("http://127.0.0.1:1", "key"));
export async function start(workflow_id: string): Promise<string> {
  const { execution } = await genesis.startWorkflow({ workflow_id });
  // @ts-expect-error: a status is one of a few words.
  if (execution.status === "no such status") return "";
  return execution.id;
}
export { createBrowserGenesis, createServerGenesis, GenesisProvider, useExecution };
`;

Deno.test("the package's declarations carry the types of every entry, without its sources", async () => {
  await inPackage(async () => {
    await Deno.writeTextFile(`${out}/program.ts`, PROGRAM);
    const tsc = `${ROOT}node_modules/.bin/tsc`;
    const strict = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"];
    assertEquals(
      await run(tsc, [...strict, "--target", "es2022", "--lib", "es2022,dom,esnext.disposable", "program.ts"]),
      "",
    );
  });
});

Deno.test("the package's entries load in Node as they are", async () => {
  await inPackage(async () => {
    const program = `
      const entries = ["", "/react", "/next/browser", "/next/server"].map((path) => import("@genesis-engine/client" + path));
      const [client, react, browser, server] = await Promise.all(entries);
      console.log([client.createGenesis, react.useExecution, browser.createBrowserGenesis, server.renewSession].map((it) => typeof it).join());`;
    await Deno.writeTextFile(`${out}/program.mjs`, program);
    assertEquals(await run("node", ["program.mjs"]), "function,function,function,function\n");
  });
});

Deno.test("the tarball stays installed as it is when npm installs again, no link into the clone", async () => {
  await inPackage(async () => {
    const app = `${out}/app`;
    await Deno.mkdir(app);
    await Deno.writeTextFile(`${app}/package.json`, "{}");
    for (const what of [["../genesis-engine-client-0.1.0.tgz"], []]) {
      const args = ["install", "--prefer-offline", "--no-audit", "--no-fund", "--legacy-peer-deps", ...what];
      assertEquals((await new Deno.Command("npm", { args, cwd: app, stdout: "null" }).output()).code, 0);
      const { isSymlink } = await Deno.lstat(`${app}/node_modules/@genesis-engine/client`);
      assertEquals([what, isSymlink], [what, false]);
    }
  });
});
