// The frontend developer: the page and the script that makes its form work.
import { type Agent, type Brief, plural } from "./agent.ts";

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

/** How a field stands in the page: the tester looks for it. */
export function inputTag({ name, max_length }: Brief["fields"][number]): string {
  return `<input name="${name}" required maxlength="${max_length}">`;
}

function page(brief: Brief): string {
  const labels = brief.fields.map((field) => `      <label>${escape(field.label)} ${inputTag(field)}</label>`);
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>${escape(brief.goal)}</title>
  </head>
  <body>
    <h1>${escape(brief.goal)}</h1>
    <form id="${brief.entity}">
${labels.join("\n")}
      <button>Send</button>
    </form>
    <ul id="${plural(brief.entity)}"></ul>
    <script type="module" src="form.js"></script>
  </body>
</html>
`;
}

function script(brief: Brief): string {
  const values = brief.fields.map(({ name }) => `entry.${name}`);
  return `// Shows the ${plural(brief.entity)} and sends new ones.
const ADDRESS = "/api/${plural(brief.entity)}";
const form = document.querySelector("#${brief.entity}");
const list = document.querySelector("#${plural(brief.entity)}");

async function show() {
  const entries = await (await fetch(ADDRESS)).json();
  list.replaceChildren(...entries.map((entry) => {
    const item = document.createElement("li");
    item.textContent = [${values.join(", ")}].join(": ");
    return item;
  }));
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const body = JSON.stringify(Object.fromEntries(new FormData(form)));
  const response = await fetch(ADDRESS, { method: "POST", headers: { "content-type": "application/json" }, body });
  if (response.ok) form.reset();
  await show();
});
await show();
`;
}

export const frontend: Agent = ({ nodeId, brief }) =>
  nodeId === "page"
    ? { files: [{ file_path: "web/index.html", language: "html", content: page(brief) }] }
    : { files: [{ file_path: "web/form.js", language: "javascript", content: script(brief) }] };
