// docs/guide.md is a program, and it runs.
import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../", import.meta.url);

Deno.test("the guide's blocks, one behind the other, are a program that runs to its end and says what it did", async () => {
  const page = await Deno.readTextFile(new URL("docs/guide.md", ROOT));
  const program = [...page.matchAll(/^```ts\n(.*?)^```/gms)].map(([, block]) => block).join("\n");
  const folder = await Deno.makeTempDir();
  try {
    // As it stands in the clone, but beside it: what it imports is found from the root.
    const file = `${folder}/guide.ts`;
    await Deno.writeTextFile(file, program.replaceAll('"./', `"${ROOT.href}`));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--check", "--config", fileURLToPath(new URL("deno.json", ROOT)), file],
    }).output();
    assertEquals({ code, problem: code ? new TextDecoder().decode(stderr) : "" }, { code: 0, problem: "" });
    const said = new TextDecoder().decode(stdout).trim().split("\n");
    const ends = ["execution.completed", "index.html is at version 2", "1 of us", "Shall it be green?"];
    assertEquals([said[0], ...said.slice(-4)], ["version 1 is running", ...ends]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
