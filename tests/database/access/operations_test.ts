// access: who may do what through the doors, and no door of the API is missing from the matrix.
import { assertEquals } from "@std/assert";
import postgres from "postgres";
import { callDoor, refusalOf, shareDatabase } from "../../support/database.ts";
import { type OperationEntry, OPERATIONS, type Outcome } from "./operations.ts";
import { type ActorName, ACTORS, createWorld } from "./world.ts";

const db = await shareDatabase();
const world = await createWorld(db);
const undo = new Error("undone by the test");

function fill(value: unknown, actor: ActorName): unknown {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, fill(inner, actor)]));
  }
  if (Array.isArray(value)) return value.map((inner) => fill(inner, actor));
  if (typeof value !== "string") return value;
  const names: Record<string, string> = { ...world.rows, project: world.project, me: world.ids[actor] };
  return value.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name] ?? `{${name} is not in the world}`);
}

/** What happens when the actor calls, which is undone at once. */
async function outcome(actor: ActorName, { door, args, nothing }: OperationEntry): Promise<Outcome> {
  let found = "done";
  try {
    await db.as(world.actors[actor], async (tx) => {
      const filled = Object.fromEntries(Object.entries(args).map(([name, value]) => [name, fill(value, actor)]));
      const answer = await callDoor(tx, door, filled);
      // A batch answers for each of its parts.
      if (answer?.results) found = answer.results[0]?.error?.code ?? found;
      if (nothing && JSON.stringify(answer) === JSON.stringify(nothing)) found = "nothing";
      throw undo;
    });
  } catch (error) {
    if (error instanceof postgres.PostgresError) {
      return error.code === "42501" ? "denied" : refusalOf(error).code ?? error.message;
    }
    if (error !== undo) throw error;
  }
  return found;
}

function expected(actor: ActorName, { done, outsiders, others }: OperationEntry): Outcome {
  if (actor === "anon") return "denied";
  if (done.includes(actor)) return "done";
  return others?.[actor] ?? (actor === "stranger" || actor === "former" ? outsiders : "forbidden");
}

for (const entry of OPERATIONS) {
  Deno.test(`${entry.door}${entry.about ? `, ${entry.about}` : ""}: who can`, async () => {
    const found: Record<string, Outcome> = {};
    for (const actor of ACTORS) found[actor] = await outcome(actor, entry);
    assertEquals(found, Object.fromEntries(ACTORS.map((actor) => [actor, expected(actor, entry)])));
  });
}

Deno.test("every door of the API stands in the matrix", async () => {
  const rows = await db.sql<{ name: string }[]>`
    select distinct proname as name from pg_proc
    where pronamespace = 'public'::regnamespace and prorettype = 'jsonb'::regtype order by 1`;
  assertEquals([...new Set(OPERATIONS.map(({ door }) => door))].toSorted(), rows.map(({ name }) => name));
});
