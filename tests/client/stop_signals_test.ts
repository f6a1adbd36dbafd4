// The signals that stop workers, for as many workers as one program has.
import process from "node:process";
import { assertEquals } from "@std/assert";
import { onStopSignals } from "../../shared/client/stop_signals.ts";

Deno.test("many workers of a program listen to a signal once, each is stopped by it, and nothing is left behind", () => {
  const before = process.listenerCount("SIGTERM");
  const stopped: number[] = [];
  const ends = Array.from({ length: 12 }, (_, index) => onStopSignals(() => stopped.push(index)));
  assertEquals(process.listenerCount("SIGTERM"), before + 1);
  ends[0]?.();
  process.emit("SIGTERM", "SIGTERM");
  assertEquals(stopped, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  for (const end of ends) end();
  assertEquals(process.listenerCount("SIGTERM"), before);
});
