// A task of this stack as its reader has to type it.
import { relative } from "node:path";
import { DEFAULT_DIRECTORY, DEFAULT_PORT, REPOSITORY } from "./stack.ts";

/** Whoever came by npx, as the README says, has no `deno` of their own. */
const viaNpx = () => Deno.env.get("npm_lifecycle_event") === "npx";

/** As one word of a shell. */
const quoted = (text: string) => /^[\p{L}\p{N}_./:@%+,=-]+$/u.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** Where a directory is, from where a task runs: in the repository, wherever it was typed. */
export function placeOf(directory: string): string {
  const place = relative(REPOSITORY, directory) || ".";
  return place.startsWith("..") ? directory : place;
}

/** The command line, with the directory and the port only where they are not the usual ones. */
export function taskLine(
  task: "start" | "stop",
  { directory, port }: { directory?: string | undefined; port?: number },
  isNpx = viaNpx(),
): string {
  const place = directory === undefined ? DEFAULT_DIRECTORY : placeOf(directory);
  return [
    isNpx ? `npx -y deno@${Deno.version.deno} task` : "deno task",
    task,
    ...(place === DEFAULT_DIRECTORY ? [] : ["--dir", quoted(place)]),
    ...(port === undefined || port === DEFAULT_PORT ? [] : ["--port", port]),
  ].join(" ");
}
