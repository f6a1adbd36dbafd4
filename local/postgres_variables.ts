// What the environment says of other databases (`PGTARGETSESSIONATTRS`, `PGSSL`, `PGMAX`) postgres.js would go by for ours.

/** What a `--database-url` may leave out. */
const OF_THE_URL = /^PG(HOST|PORT|USER|USERNAME|PASSWORD|DATABASE)$/;

/** Has this process forget them, before its first connection. */
export function forgetPostgresVariables(): void {
  for (const name of Object.keys(Deno.env.toObject())) {
    if (/^PG[A-Z]/.test(name) && !OF_THE_URL.test(name)) Deno.env.delete(name);
  }
}
