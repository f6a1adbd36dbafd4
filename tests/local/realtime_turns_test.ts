// Whose question to the policies comes next, when many wait.
import { assertEquals } from "@std/assert";
import { Turns } from "../../local/realtime/turns.ts";

Deno.test("another's question comes after one of each person's, however many one of them has", async () => {
  const turns = new Turns(1);
  const gate = Promise.withResolvers<void>();
  const asked: string[] = [];
  const ask = (person: string, what: string) => turns.take(person, () => Promise.resolve(asked.push(what)));
  const all = [turns.take("many", () => gate.promise)];
  for (const what of ["first", "second", "third"]) all.push(ask("many", what).then(() => {}));
  for (const what of ["fourth", "fifth"]) all.push(ask("another", what).then(() => {}));
  gate.resolve();
  await Promise.all(all);
  assertEquals(asked, ["first", "fourth", "second", "fifth", "third"]);
});

Deno.test("a question that fails gives its place on", async () => {
  const turns = new Turns(1);
  const failed = turns.take("one", () => Promise.reject(new Error("no")));
  const answered = turns.take("another", () => Promise.resolve("yes"));
  assertEquals(await failed.catch(({ message }) => message), "no");
  assertEquals(await answered, "yes");
  assertEquals(await turns.take("one", () => Promise.resolve("again")), "again");
});
