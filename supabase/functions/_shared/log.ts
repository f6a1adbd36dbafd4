// One JSON line per event on the function's log, which the platform keeps and lets people search.

export type Fields = Record<string, string | number | boolean | null | undefined>;

/** What opens something: what is said of a request that failed may hold its whole address, with a link's token in it. */
const SECRETS = /(?<=token(?:=|%3D))[^\s"&)\\]+|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\bsb_secret_[\w-]+/gi;

/** Writes one line; never pass tokens, keys or bodies. */
export function log(level: "info" | "error", event: string, fields: Fields): void {
  const line = JSON.stringify({ level, event, ...fields }).replaceAll(SECRETS, "…");
  if (level === "error") console.error(line);
  else console.log(line);
}
