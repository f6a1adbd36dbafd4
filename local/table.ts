// What a person wants to know once the stack runs: URLs, keys, demo users, how to stop it.
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Stack } from "./stack.ts";

const SEED = new URL("../supabase/seed.sql", import.meta.url);

/** Demo users are announced in the seed by lines like `-- demo user: ada@example.com / a-password`. */
async function demoUsers(): Promise<[string, string][]> {
  const seed = await Deno.readTextFile(fileURLToPath(SEED)).catch(() => "");
  return [...seed.matchAll(/^--\s*demo user:\s*(\S+)\s*\/\s*(\S+)/gim)].map(([, email, password]) => [email, password]);
}

export async function printTable(stack: Stack, milliseconds: number): Promise<void> {
  const { url } = stack;
  const users = await demoUsers();
  const here = relative(Deno.cwd(), stack.directory) || ".";
  const rows: ([string, string] | undefined)[] = [
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
    ...users.map(([email, password]): [string, string] => ["Demo user", `${email}  password: ${password}`]),
    undefined,
    ["State", `${here}  (keys for programs: ${here}/stack.env)`],
  ];
  const width = Math.max(...rows.map((row) => row?.[0].length ?? 0));
  const inner = Math.max(...rows.map((row) => row?.[1].length ?? 0));
  const line = (left: string, middle: string, right: string) =>
    left + "─".repeat(width + 2) + middle + "─".repeat(inner + 2) + right;
  console.log(line("┌", "┬", "┐"));
  for (const row of rows) {
    console.log(row ? `│ ${row[0].padEnd(width)} │ ${row[1].padEnd(inner)} │` : line("├", "┼", "┤"));
  }
  console.log(line("└", "┴", "┘"));
  const changes = stack.applied.length > 0 ? ` Applied ${stack.applied.length} migrations and seed files.` : "";
  console.log(`Ready in ${(milliseconds / 1000).toFixed(1)} s.${changes} Stop with Ctrl-C or \`deno task stop\`.`);
}
