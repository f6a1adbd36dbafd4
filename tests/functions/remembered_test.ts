// What a function remembers of its callers' credentials.
import { assertEquals } from "@std/assert";
import { Remembered } from "../../supabase/functions/_shared/remembered.ts";

const LATER = Date.now() + 600_000;

Deno.test("remembered: what was set is there until its time is over", () => {
  const remembered = new Remembered<number>();
  remembered.set("a", 1, LATER);
  remembered.set("b", 2, Date.now() - 1);
  assertEquals([remembered.get("a"), remembered.get("b"), remembered.get("c")], [1, undefined, undefined]);
});

Deno.test("remembered: a credential of tens of kilobytes is not kept, as one person can send any number of them", () => {
  const remembered = new Remembered<number>();
  const [usual, long] = ["x".repeat(6000), "x".repeat(9000)];
  remembered.set(usual, 1, LATER);
  remembered.set(long, 2, LATER);
  assertEquals([remembered.get(usual), remembered.get(long)], [1, undefined]);
});

Deno.test("remembered: of many credentials only the newest are kept", () => {
  const remembered = new Remembered<number>();
  for (let count = 0; count < 1200; count++) remembered.set(`${count}`, count, LATER);
  const kept = Array.from({ length: 1200 }, (_, count) => remembered.get(`${count}`)).filter((one) =>
    one !== undefined
  );
  assertEquals([kept.length <= 500, kept.at(-1)], [true, 1199]);
});
