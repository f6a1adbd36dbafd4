// The backend developer: the table, and the service over it. Its first service forgets how long a value may be, so that
// the tester has something to find.
import { type Agent, type Brief, plural, type Result } from "./agent.ts";

function schema(brief: Brief): Result {
  const columns = brief.fields.map(({ name, max_length }) =>
    `  ${name} text not null,\n  constraint ${name}_has_text check (char_length(btrim(${name})) between 1 and ${max_length}),`
  );
  const content = `create table ${plural(brief.entity)} (
  id uuid primary key default gen_random_uuid(),
${columns.join("\n")}
  created_at timestamptz not null default now()
);
`;
  return { files: [{ file_path: "db/schema.sql", language: "sql", content }] };
}

/** How a field stands in the service: the tester looks for it, the debugger puts it there. */
export function fieldLine({ name, max_length }: Brief["fields"][number], isBounded: boolean): string {
  return isBounded ? `{ name: "${name}", maxLength: ${max_length} }` : `{ name: "${name}" }`;
}

/** The service, with or without the bounds of the plan. */
export function service(brief: Brief, areBounded: boolean): string {
  const fields = brief.fields.map((field) => `  ${fieldLine(field, areBounded)},`);
  return `// Serves the ${plural(brief.entity)} over HTTP.
interface Field {
  name: string;
  maxLength?: number;
}

const FIELDS: Field[] = [
${fields.join("\n")}
];

const ${plural(brief.entity)}: Record<string, string>[] = [];

/** What is wrong with a value, if anything. */
function fault({ name, maxLength = Infinity }: Field, value: unknown): string | undefined {
  if (typeof value !== "string" || value.trim() === "") return \`\${name} is missing\`;
  if (value.length > maxLength) return \`\${name} has more than \${maxLength} characters\`;
}

async function add(request: Request): Promise<Response> {
  const body = await request.json().catch(() => ({}));
  const faults = FIELDS.flatMap((field) => fault(field, body?.[field.name]) ?? []);
  if (faults.length > 0) return Response.json({ faults }, { status: 422 });
  const made = Object.fromEntries(FIELDS.map(({ name }) => [name, String(body[name])]));
  ${plural(brief.entity)}.push(made);
  return Response.json(made, { status: 201 });
}

export default {
  async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== "/api/${
    plural(brief.entity)
  }") return new Response("Not found", { status: 404 });
    if (request.method === "GET") return Response.json(${plural(brief.entity)});
    if (request.method === "POST") return await add(request);
    return new Response("Method not allowed", { status: 405, headers: { allow: "GET, POST" } });
  },
};
`;
}

export const backend: Agent = ({ nodeId, brief }) =>
  nodeId === "schema"
    ? schema(brief)
    : { files: [{ file_path: "src/api.ts", language: "typescript", content: service(brief, false) }] };
