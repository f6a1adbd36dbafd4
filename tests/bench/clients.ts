// The connections that all contenders share the shape of: one per client, with prepared statements.
import postgres from "postgres";

export interface Clients extends AsyncDisposable {
  all: postgres.Sql[];
}

/** pg-boss hands JSON over as text; an object is written as JSON as ever. */
const json = {
  to: 3802,
  from: [114, 3802],
  serialize: (value: unknown) => typeof value === "string" ? value : JSON.stringify(value),
  parse: (text: string) => JSON.parse(text),
};

/** Opens so many connections and makes each ready to go, as `role` where one is given. */
export async function openClients(url: string, count: number, role?: "service_role"): Promise<Clients> {
  const all = Array.from(
    { length: count },
    () => postgres(url, { max: 1, prepare: true, onnotice: () => {}, types: { json } }),
  );
  await Promise.all(all.map((sql) => role ? sql.unsafe(`set role ${role}`) : sql`select 1`));
  return {
    all,
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((sql) => sql.end({ timeout: 5 })));
    },
  };
}

/** Lets every client work off a shared list of numbers from 0 until `count` is reached. */
export async function share<Client>(
  clients: Client[],
  count: number,
  work: (client: Client, n: number) => Promise<unknown>,
) {
  let next = 0;
  await Promise.all(clients.map(async (client) => {
    while (next < count) await work(client, next++);
  }));
}
