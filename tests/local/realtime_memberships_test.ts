// When private channels are asked for again. On a stack the regular look hides what a look in between leaves out, so this
// one is asked by itself.
import { assertEquals } from "@std/assert";
import type { Channel } from "../../local/realtime/channel.ts";
import { Hub } from "../../local/realtime/hub.ts";
import { Memberships } from "../../local/realtime/memberships.ts";
import { eventually } from "./fixture.ts";

Deno.test("what changes while the channels are looked at is looked at once more, and at once", async () => {
  const hub = new Hub();
  const looked: string[] = [];
  const gate = Promise.withResolvers<void>();
  const add = (topic: string, recheck: () => Promise<void>) =>
    hub.add({ topic, isPrivate: true, recheck } as unknown as Channel);
  for (const topic of ["first", "second", "third", "fourth"]) {
    add(topic, () => {
      looked.push(topic);
      return Promise.resolve();
    });
  }
  add("slow", () => gate.promise);
  const memberships = new Memberships(hub, () => {});
  const times = (count: number) => () => looked.filter((topic) => topic === "first").length >= count;
  memberships.mayHaveChanged();
  await eventually(() => Promise.resolve(), times(1));
  // The first has been looked at, the last holds up the look: now something changes.
  memberships.mayHaveChanged();
  await new Promise((resolve) => setTimeout(resolve, 100));
  gate.resolve();
  await new Promise((resolve) => setTimeout(resolve, 100));
  memberships.stop();
  assertEquals(looked.filter((topic) => topic === "first").length, 2);
});

Deno.test("one person's channels that wait for their turn do not hold up the look at another's", async () => {
  const hub = new Hub();
  let looked = false;
  const add = (topic: string, recheck: () => Promise<void>) =>
    hub.add({ topic, isPrivate: true, recheck } as unknown as Channel);
  const gate = Promise.withResolvers<void>();
  for (let count = 0; count < 10; count++) add(`waiting ${count}`, () => gate.promise);
  add("another", () => {
    looked = true;
    return Promise.resolve();
  });
  const memberships = new Memberships(hub, () => {});
  memberships.mayHaveChanged();
  const seen = await eventually(() => Promise.resolve(looked), (value) => value);
  gate.resolve();
  memberships.stop();
  assertEquals(seen, true);
});
