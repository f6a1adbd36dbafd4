// The architect: writes the plan at the beginning and the README at the end.
import { type Agent, type Assignment, plural, type Result } from "./agent.ts";

function plan({ brief }: Assignment): Result {
  const fields = brief.fields.map((field) =>
    `- \`${field.name}\`: "${field.label}", 1 to ${field.max_length} characters`
  );
  const content = `# Plan

${brief.goal}

## Data

One table, \`${plural(brief.entity)}\`:

${fields.join("\n")}

## Parts

- \`db/schema.sql\`: the table
- \`src/api.ts\`: \`GET\` and \`POST /api/${plural(brief.entity)}\`, where too long and empty values are refused
- \`web/index.html\` and \`web/form.js\`: the page and what makes it work
`;
  return {
    files: [{ file_path: "docs/plan.md", language: "markdown", content }],
    message: `The plan is in docs/plan.md: one table with ${brief.fields.length} fields, one route, one page.`,
  };
}

async function handOver({ brief, list }: Assignment): Promise<Result> {
  const paths = await list();
  const content = `# ${plural(brief.entity)[0]?.toUpperCase()}${plural(brief.entity).slice(1)}

${brief.goal}

Start it with \`deno serve src/api.ts\`; the plan is in \`docs/plan.md\`.

${paths.map((path) => `- \`${path}\``).join("\n")}
`;
  return {
    files: [{ file_path: "README.md", language: "markdown", content }],
    message: `Done: ${paths.length + 1} files, see README.md.`,
  };
}

export const architect: Agent = (assignment) => assignment.nodeId === "plan" ? plan(assignment) : handOver(assignment);
