// One JSON line per event on the function's log, which the platform keeps and lets people search.

type Fields = Record<string, string | number | boolean | null | undefined>;

/** Writes one line; never pass tokens, keys or bodies. */
export function log(level: "info" | "error", event: string, fields: Fields): void {
  const line = JSON.stringify({ level, event, ...fields });
  if (level === "error") console.error(line);
  else console.log(line);
}
