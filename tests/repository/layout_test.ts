// The law of the house: names that agree across rooms, pins that agree across files, documents whose commands exist.
import { assert, assertEquals } from "@std/assert";
import type { Operation } from "../../shared/contract/operation.ts";
import { FUNCTIONS } from "../support/functions.ts";
import { connect } from "../../local/platform.ts";
import { stack } from "../support/stack.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => Deno.readTextFile(new URL(path, ROOT));
const readJson = async (path: string) => JSON.parse(await read(path));

async function filesBelow(folder: string, extension: string): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) found.push(...await filesBelow(`${path}/`, extension));
    else if (path.endsWith(extension)) found.push(path);
  }
  return found;
}

Deno.test("folders, contracts and config.toml name the same functions", async () => {
  const names = [...FUNCTIONS].sort();
  const folders: string[] = [];
  for await (const entry of Deno.readDir(new URL("supabase/functions/", ROOT))) {
    if (entry.isDirectory && !entry.name.startsWith("_")) folders.push(entry.name);
  }
  const configured = [...(await read("supabase/config.toml")).matchAll(/^\[functions\.([\w-]+)\]/gm)].map(([, name]) =>
    name
  );
  assertEquals(folders.sort(), names);
  assertEquals(configured.sort(), names);
});

Deno.test("every function in config.toml says whether it verifies tokens", async () => {
  const config = await read("supabase/config.toml");
  for (const name of FUNCTIONS) {
    assert(new RegExp(`\\[functions\\.${name}\\][^[]*verify_jwt = (true|false)`).test(config), `${name} does not say`);
  }
});

Deno.test("an operation has a file of its own name in its function's folder", async () => {
  for (const slug of FUNCTIONS) {
    const { operations }: { operations: Operation[] } = await import(`../../shared/contract/${slug}.ts`);
    for (const { name } of operations) await Deno.stat(new URL(`supabase/functions/${slug}/${name}.ts`, ROOT));
  }
});

Deno.test("an operation that is a single SQL call has a door of its own name", async () => {
  const sql = connect(stack.databaseUrl);
  const rows = await sql`select proname as name from pg_proc where pronamespace = 'public'::regnamespace`;
  await sql.end();
  const doors = new Set(rows.map((row) => row.name));
  for (const slug of FUNCTIONS) {
    const { operations }: { operations: Operation[] } = await import(`../../shared/contract/${slug}.ts`);
    for (const { name, body } of operations) assert(body !== "json" || doors.has(name), `There is no door ${name}`);
  }
});

Deno.test("the deployed functions and the root pin the same versions, exactly", async () => {
  const root = (await readJson("deno.json")).imports;
  const functions = (await readJson("supabase/functions/deno.json")).imports;
  for (const [name, specifier] of Object.entries(functions)) assertEquals(root[name], specifier, `${name} differs`);
  for (const [name, specifier] of Object.entries<string>(root)) {
    assert(
      !specifier.startsWith("npm:") || /^npm:(@[^/]+\/)?[^/@]+@\d+\.\d+\.\d+[^/]*(\/.*)?$/.test(specifier),
      `${name} is not pinned`,
    );
  }
});

Deno.test("imports point one way: shared knows no function, functions know neither the stack nor each other", async () => {
  const sources = [...await filesBelow("shared/", ".ts"), ...await filesBelow("supabase/functions/", ".ts")];
  for (const path of sources) {
    const own = /^supabase\/functions\/([^/]+)\//.exec(path)?.[1];
    for (const [, target] of (await read(path)).matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
      const to = new URL(target ?? "", new URL(path, ROOT)).href.slice(ROOT.href.length);
      const room = /^supabase\/functions\/([^/]+)\//.exec(to)?.[1];
      const isAllowed = to.startsWith("shared/") || room === own ||
        (own !== undefined && own !== "_shared" && room === "_shared");
      assert(isAllowed && !(path.startsWith("shared/") && !to.startsWith("shared/")), `${path} must not import ${to}`);
    }
  }
});

Deno.test("what a function imports is there, also what a comment imports, which a deployment looks for too", async () => {
  const sources = [...await filesBelow("shared/", ".ts"), ...await filesBelow("supabase/functions/", ".ts")];
  for (const path of sources) {
    for (const [, target] of (await read(path)).matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)) {
      const isThere = await Deno.stat(new URL(target ?? "", new URL(path, ROOT))).then(() => true, () => false);
      assert(isThere, `${path} imports ${target}`);
    }
  }
});

Deno.test("only _shared/env.ts reads the environment of a function", async () => {
  for (const path of [...await filesBelow("supabase/functions/", ".ts"), ...await filesBelow("shared/", ".ts")]) {
    if (path === "supabase/functions/_shared/env.ts") continue;
    assert(!/Deno\.env|process\.env/.test(await read(path)), `${path} reads the environment`);
  }
});

Deno.test("every source file opens by saying what it is for", async () => {
  const sources =
    (await Promise.all(["shared/", "supabase/functions/", "local/", "tests/"].map((room) => filesBelow(room, ".ts"))))
      .flat();
  for (const path of sources) assert((await read(path)).startsWith("// "), `${path} does not`);
  for (const path of await filesBelow("supabase/", ".sql")) {
    assert((await read(path)).startsWith("-- "), `${path} does not`);
  }
});

Deno.test("a place in this clone is never the pathname of its URL, which writes spaces and other letters as %20", async () => {
  const rooms = ["shared/", "supabase/functions/", "local/", "tests/"];
  for (const path of (await Promise.all(rooms.map((room) => filesBelow(room, ".ts")))).flat()) {
    const text = await read(path);
    const urls = [...text.matchAll(/const (\w+) = new URL\([^;]*import\.meta\.url\);/g)].map(([, name]) => name);
    const isPlace = new RegExp(`\\b(import\\.meta\\.url|${["ROOT", ...urls].join("|")})\\)*\\.pathname`);
    assert(!isPlace.test(text), `${path}: fileURLToPath() has the place as it is`);
  }
});

Deno.test("every deno task that a document names exists", async () => {
  const { tasks } = await readJson("deno.json");
  const documents = ["README.md", "CHANGELOG.md", "local/README.md", ...await filesBelow("docs/", ".md")];
  for (const path of documents) {
    for (const [, task] of (await read(path)).matchAll(/(?:deno(?:@[\d.]+)?) task ([a-z]+)/g)) {
      assert(task !== undefined && task in tasks, `${path} names the task ${task}`);
    }
  }
});

Deno.test("the examples of README.md pass the type check, as whoever pastes them has it in an editor", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", "--doc-only", "README.md"],
    cwd: ROOT,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});
