// inTime: no answer is waited for for ever.
import { assertEquals, assertRejects } from "@std/assert";
import { GenesisError } from "../../shared/client/mod.ts";
import { inTime } from "../../shared/client/in_time.ts";

/** A request on a connection that is there and carries nothing: only its signal ends it. */
const silent = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(new Error("given up"))));

Deno.test("a request that nobody answers is given up", async () => {
  await assertRejects(() => inTime(silent, undefined, 20), Error, "given up");
});

Deno.test("a request that its caller gives up throws the caller's reason", async () => {
  const giving = new AbortController();
  const request = inTime(silent, giving.signal);
  giving.abort(new Error("I changed my mind"));
  await assertRejects(() => request, Error, "I changed my mind");
});

Deno.test("an answer in time is the answer", async () => {
  assertEquals(await inTime(() => Promise.resolve(7), undefined), 7);
});

Deno.test("a request that does not listen to its signal is given up all the same", async () => {
  const thrown = await assertRejects(() => inTime(() => new Promise(() => {}), undefined, 20), GenesisError);
  assertEquals((thrown as GenesisError).code, "unavailable");
});
