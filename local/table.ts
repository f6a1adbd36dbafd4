// What a person wants to know once the stack runs: URLs, keys, demo users, how to stop it.
import { fileURLToPath } from "node:url";
import type { Stack } from "./stack.ts";
import { placeOf, taskLine } from "./task_line.ts";

const SEED = new URL("../supabase/seed.sql", import.meta.url);

/** Demo users are announced in the seed by lines like `-- demo user: ada@example.com / a-password`. */
async function demoUsers(): Promise<Row[]> {
  const seed = await Deno.readTextFile(fileURLToPath(SEED)).catch(() => "");
  return [...seed.matchAll(/^--\s*demo user:\s*(\S+)\s*\/\s*(\S+)/gim)].map(([, email, password]) => [email, password]);
}

type Row = [string, string];

/** How wide the terminal is, if it is one that says so. */
function terminalColumns(): number {
  return Deno.stdout.isTerminal() && Deno.consoleSize().columns || Infinity;
}

/** The rows in a frame, with a line for each that is missing; without one where the terminal would break it. */
export function tableLines(rows: (Row | undefined)[], columns: number): string[] {
  const width = Math.max(...rows.map((row) => row?.[0].length ?? 0));
  const inner = Math.max(...rows.map((row) => row?.[1].length ?? 0));
  const line = (left: string, middle: string, right: string) =>
    left + "─".repeat(width + 2) + middle + "─".repeat(inner + 2) + right;
  const top = line("┌", "┬", "┐");
  if (columns < top.length) return rows.map((row) => row ? `${row[0].padEnd(width)} ${row[1]}` : "");
  return [
    top,
    ...rows.map((row) => row ? `│ ${row[0].padEnd(width)} │ ${row[1].padEnd(inner)} │` : line("├", "┼", "┤")),
    line("└", "┴", "┘"),
  ];
}

export async function printTable(stack: Stack, milliseconds: number): Promise<void> {
  const { url } = stack;
  const users = await demoUsers();
  const here = placeOf(stack.directory);
  const rows: (Row | undefined)[] = [
    ["URL", url],
    ["Data API", `${url}/rest/v1`],
    ["Auth", `${url}/auth/v1`],
    ["Storage", `${url}/storage/v1`],
    ["Realtime", `${url.replace("http", "ws")}/realtime/v1`],
    ["Functions", `${url}/functions/v1`],
    ["Mail", `${url}/mail`],
    ["Database", stack.databaseUrl],
    undefined,
    ["Publishable key", stack.publishableKey],
    ["Secret key", stack.secretKey],
    ["JWT secret", stack.jwtSecret],
    ...(users.length > 0 ? [undefined] : []),
    ...users.map(([email, password]): Row => ["Demo user", `${email}  password: ${password}`]),
    undefined,
    ["State", `${here}  (keys for programs: ${here}/stack.env)`],
  ];
  for (const line of tableLines(rows, terminalColumns())) console.log(line);
  const changes = stack.applied.length > 0 ? ` Applied ${stack.applied.length} migrations and seed files.` : "";
  const stop = taskLine("stop", { directory: stack.directory });
  console.log(`Ready in ${(milliseconds / 1000).toFixed(1)} s.${changes} Stop with Ctrl-C or \`${stop}\`.`);
}
