// Rows of one insert that name different columns. What a row leaves out is NULL, or its default where the request prefers that
// (`defaultToNull: false`). Lite always writes the default, and always answers with NULL.
import { wordFor } from "./meant.ts";

const columnsOf = (list: string) => list.split(",").map((name) => name.trim().replace(/^"(.*)"$/s, "$1"));

type Row = Record<string, unknown>;

const isRows = (body: unknown): body is Row[] =>
  Array.isArray(body) && body.every((row) => typeof row === "object" && row !== null && !Array.isArray(row));

/** The request with all columns in every row. */
export async function withAllColumns(request: Request): Promise<Request> {
  const columns = request.method === "POST" ? new URL(request.url).searchParams.get("columns") : null;
  if (columns === null || !/json/i.test(request.headers.get("content-type") ?? "")) return request;
  const text = await request.text();
  return new Request(request, { body: filled(text, columnsOf(columns), request.headers.get("prefer") ?? "") });
}

function filled(text: string, columns: string[], prefer: string): string {
  let rows: unknown;
  try {
    rows = JSON.parse(text);
  } catch {
    return text;
  }
  if (!isRows(rows) || rows.every((row) => columns.every((column) => Object.hasOwn(row, column)))) return text;
  const missing = /\bmissing=default\b/.test(prefer) ? wordFor("default") : null;
  const blank = Object.fromEntries(columns.map((column) => [column, missing]));
  return JSON.stringify(rows.map((row) => ({ ...blank, ...row })));
}
