// Names the machine, without which a figure says nothing.
import { cpus, totalmem } from "node:os";
import postgres from "postgres";

export interface Machine {
  cpu: string;
  cores: number;
  memory_gib: number;
  os: string;
  postgresql: string;
  deno: string;
  date: string;
}

export async function nameMachine(databaseUrl: string): Promise<Machine> {
  const sql = postgres(databaseUrl, { max: 1 });
  const [row] = await sql<{ version: string }[]>`select current_setting('server_version') as version`;
  await sql.end();
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memory_gib: Math.round(totalmem() / 2 ** 30),
    os: `${Deno.build.os} ${Deno.build.arch}`,
    postgresql: row?.version ?? "unknown",
    deno: Deno.version.deno,
    date: new Date().toISOString().slice(0, 10),
  };
}
