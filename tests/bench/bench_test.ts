// deno task bench: that it runs from end to end, in small, and leaves what readers of its report expect.
import { assert, assertEquals } from "@std/assert";
import { reportSchema, toMarkdown } from "./report.ts";

const ROOT = new URL("../../", import.meta.url);

async function runQuickly() {
  const out = await Deno.makeTempDir({ prefix: "genesis-bench-" });
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "tests/bench/main.ts", "--quick", "--out", out],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const report = reportSchema.parse(JSON.parse(await Deno.readTextFile(`${out}/bench.json`)));
  const page = await Deno.readTextFile(`${out}/bench.md`);
  await Deno.remove(out, { recursive: true });
  return { report, page };
}

Deno.test("the bench measures every set, with every contender, and writes its report", async () => {
  const { report, page } = await runQuickly();
  assertEquals([...new Set(report.measures.map(({ set }) => set))], ["workflows", "broadcast", "growth", "reads"]);
  const contenders = new Set(report.measures.map(({ contender }) => contender));
  for (
    const name of ["bare two-statement commit", "pg-boss", "graphile-worker", "SQL, one by one", "HTTP, one by one"]
  ) {
    assert(contenders.has(name), `${name} was not measured`);
  }
  assertEquals(page, toMarkdown(report));
});

const isWritten = await Deno.stat(new URL("docs/bench.json", ROOT)).then(() => true, () => false);

Deno.test({ name: "the report in docs is what the bench wrote", ignore: !isWritten }, async () => {
  const report = reportSchema.parse(JSON.parse(await Deno.readTextFile(new URL("docs/bench.json", ROOT))));
  assertEquals(report.quick, false);
  assertEquals(await Deno.readTextFile(new URL("docs/bench.md", ROOT)), toMarkdown(report));
});
