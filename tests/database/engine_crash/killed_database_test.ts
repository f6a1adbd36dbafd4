// PostgreSQL is killed with all its processes in the middle of a run: what it has answered for is there when it is back.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import { readConfig } from "../../../local/config.ts";
import { applyMigrationFiles } from "../../../local/migrate.ts";
import { applyPlatform, connect } from "../../../local/platform.ts";
import { type Postgres, startPostgres } from "../../../local/postgres.ts";
import { possibleHomes } from "../../../local/postgres_home.ts";
import { openDatabase } from "../../support/database.ts";
import { freePort } from "../../support/free_port.ts";
import { assertWhole, startLayers } from "./graphs.ts";
import { workOn } from "../../support/worker.ts";

const CONFIG = fileURLToPath(new URL("../../../supabase/config.toml", import.meta.url));

/** Kills the server and every process it has begun, the way a machine without power would. */
async function killPostgres(server: Postgres, directory: string): Promise<void> {
  const sql = connect(server.adminUrl);
  const children = (await sql`select pid from pg_stat_activity`).map((row) => row.pid as number);
  await sql.end();
  const files = (await possibleHomes(directory)).map((home) => join(home, "data", "postmaster.pid"));
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(file).catch(() => "")));
  const postmaster = Number(texts.find((text) => text !== "")?.split("\n")[0]);
  assert(postmaster > 1, "The server that is to be killed was not found");
  Deno.kill(postmaster, "SIGKILL");
  for (const pid of children) {
    try {
      Deno.kill(pid, "SIGKILL");
    } catch {
      // It went with its parent.
    }
  }
  await server.died;
}

/** The server once more: the memory of the killed one may take a moment to be given back. */
async function startAgain(directory: string, port: number): Promise<Postgres> {
  for (let attempt = 0;; attempt++) {
    try {
      return await startPostgres(directory, port);
    } catch (error) {
      if (attempt === 300) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

Deno.test("nothing that was completed is lost or applied twice when PostgreSQL is killed, and the run finishes", async () => {
  const directory = await Deno.makeTempDir({ prefix: "genesis-crash-" });
  await Deno.chmod(directory, 0o755);
  const port = freePort();
  let server = await startPostgres(directory, port);
  try {
    await applyPlatform(server.adminUrl);
    await using db = openDatabase(server.adminUrl);
    await db.sql`alter role postgres password 'postgres'`;
    await applyMigrationFiles(server.databaseUrl, await readConfig(CONFIG));
    const taken = new Set<string>();
    const execution_id = await startLayers(db, 6, 50);
    const workers = Promise.all([1, 2, 3, 4].map((index) =>
      workOn(server.adminUrl, {
        execution_id,
        worker_id: `worker ${index}`,
        lease_seconds: 2,
        // Claims that follow each other quickly do not wait for the disk, so some of them are lost.
        limit: 1,
        work: () => Math.random() * 10,
        onTaken: (id) => taken.add(id),
      })
    ));
    for (const count of [40, 120, 220]) {
      while (taken.size < count) await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
      await killPostgres(server, directory);
      const answered = [...taken];
      server = await startAgain(directory, port);
      await using after = openDatabase(server.adminUrl);
      const kept = await after
        .sql`select id from public.agent_tasks where id = any (${answered}) and status = 'completed'`;
      assertEquals(kept.length, answered.length);
    }
    await workers;
    await using after = openDatabase(server.adminUrl);
    await assertWhole(after, execution_id, 300);
  } finally {
    await server.stop();
    await Deno.remove(directory, { recursive: true });
  }
});
