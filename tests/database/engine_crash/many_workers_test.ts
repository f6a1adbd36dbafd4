// Many workers on one large execution: each task is done once, whoever asks when.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { assertWhole, startLayers } from "./graphs.ts";
import { workOn } from "../../support/worker.ts";

const db = await shareDatabase();

Deno.test("sixteen workers complete each of 2,000 tasks once", async () => {
  const execution_id = await startLayers(db, 20, 100);
  const taken: string[] = [];
  await Promise.all(Array.from({ length: 16 }, (_, index) =>
    workOn(db.url, {
      execution_id,
      worker_id: `worker ${index}`,
      limit: 1 + index % 10,
      onTaken: (id) => taken.push(id),
    })));
  assertEquals([taken.length, new Set(taken).size], [2000, 2000]);
  await assertWhole(db, execution_id, 2000);
});
