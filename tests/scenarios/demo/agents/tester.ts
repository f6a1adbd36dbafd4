// The tester: reads what the others saved, writes the tests for it, and names what is missing.
import { type Agent, type Assignment, plural, type Result } from "./agent.ts";
import { fieldLine } from "./backend.ts";
import { inputTag } from "./frontend.ts";

async function checkService({ brief, read }: Assignment): Promise<Result> {
  const { content } = await read("src/api.ts");
  const findings = brief.fields
    .filter((field) => !content.includes(fieldLine(field, true)))
    .map(({ name, max_length }) => `src/api.ts takes more than ${max_length} characters as ${name}.`);
  const complete = brief.fields.map(({ name }) => `${name}: "x"`).join(", ");
  const tests = brief.fields.map(({ name, max_length }) =>
    `Deno.test("more than ${max_length} characters as ${name} are refused", async () => {
  assertEquals(await status({ ...COMPLETE, ${name}: "x".repeat(${max_length + 1}) }), 422);
});`
  );
  const test = `// The service keeps the bounds of the plan.
import { assertEquals } from "@std/assert";
import api from "../src/api.ts";

const COMPLETE = { ${complete} };

async function status(body: unknown): Promise<number> {
  const request = new Request("http://localhost/api/${
    plural(brief.entity)
  }", { method: "POST", body: JSON.stringify(body) });
  return (await api.fetch(request)).status;
}

Deno.test("a complete ${brief.entity} is taken", async () => {
  assertEquals(await status(COMPLETE), 201);
});

${tests.join("\n\n")}
`;
  return { files: [{ file_path: "tests/api_test.ts", language: "typescript", content: test }], findings };
}

async function checkPage({ brief, read }: Assignment): Promise<Result> {
  const { content } = await read("web/index.html");
  const findings = brief.fields
    .filter((field) => !content.includes(inputTag(field)))
    .map(({ name }) => `web/index.html lets people write any ${name}.`);
  const report = `# The page, checked\n\n${
    brief.fields.map((field) => `- ${field.label}: \`${inputTag(field)}\``).join("\n")
  }\n\nFindings: ${findings.join(" ") || "none."}\n`;
  return { files: [{ file_path: "docs/page-check.md", language: "markdown", content: report }], findings };
}

export const tester: Agent = (assignment) =>
  assignment.nodeId === "check_api" ? checkService(assignment) : checkPage(assignment);
