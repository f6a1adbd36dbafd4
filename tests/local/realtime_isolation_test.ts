// What slow filters cost: on a stack it would be told by the time that others wait, so the database is played here.
import { assertEquals } from "@std/assert";
import postgres from "postgres";
import { type Asked, readBatch } from "../../local/realtime/isolation.ts";

const table = {
  schema: "public",
  name: "texts",
  hasRls: true,
  hasLostKey: false,
  columns: [{ name: "t", type: "text", cast: "text", isKey: true, readers: ["authenticated"] }],
};

const filter = (value: string): Asked["filter"] => ({
  text: `t=match.${value}`,
  column: "t",
  operator: "~",
  isNegated: false,
  values: [value],
});

/** Connections on which each statement with a slow filter takes too long; all others let every row pass. */
function connections() {
  let waits = 0;
  const unsafe = (text: string, [rows = "[]", values = "[]"]: string[]) => {
    if (values.includes("slow")) {
      waits++;
      return Promise.reject(Object.assign(new postgres.PostgresError("too late"), { code: "57014" }));
    }
    const hits = [...text.matchAll(/coalesce\(/g)].map(() => true);
    return Promise.resolve(JSON.parse(rows).map(([t]: string[]) => ({ json: { t }, hits })));
  };
  const sql = { unsafe } as unknown as postgres.Sql;
  return { both: { sql, limited: sql }, waits: () => waits };
}

const asks = (value: string, ...persons: string[]): Asked => ({
  filter: filter(value),
  places: new Map(persons.map((person) => [person, new Set([0])])),
});

Deno.test("however many slow filters one person has, all wait for two of them at most", async () => {
  const { both, waits } = connections();
  const slow = Array.from({ length: 20 }, (_, count) => asks(`slow${count}`, "guilty"));
  await readBatch(both, table, [{ t: "a" }], slow);
  // The first time is the one in which nobody knows yet whose filter it is.
  assertEquals(waits(), 3);
});

Deno.test("slow filters end their own subscriptions, and not those of another who asks the same", async () => {
  const { both } = connections();
  const asked = [asks("fine", "guilty", "another"), asks("slow", "guilty"), asks("fine too", "another")];
  const { rows, failures } = await readBatch(both, table, [{ t: "a" }], asked);
  assertEquals([...rows[0]?.passed ?? []].toSorted(), ["t=match.fine", "t=match.fine too"]);
  assertEquals([...failures].map(([person, its]) => [person, [...its.keys()]]), [
    ["guilty", ["t=match.slow"]],
    ["another", []],
  ]);
});
