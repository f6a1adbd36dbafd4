// Whoever sends a body, or takes an answer, is waited for, but not for ever; and what nobody reads is not made without end.
// The functions' own parts, with a clock that the tests move.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { receiveBody } from "../../supabase/functions/_shared/body.ts";
import { OperationError } from "../../supabase/functions/_shared/errors.ts";
import { Pace } from "../../supabase/functions/_shared/pace.ts";
import { jsonBody, pacedStream } from "../../supabase/functions/_shared/sending.ts";
import { createTurns } from "../../supabase/functions/_shared/turns.ts";
import { receiveFile } from "../../supabase/functions/upload-file/multipart.ts";
import { eventually } from "../support/eventually.ts";

let passed = 0;
const now = performance.now.bind(performance);
performance.now = () => now() + passed;
Deno.test.afterAll(() => void (performance.now = now));

/** Some seconds go by, of which nobody has to wait for more than one. */
const letPass = (seconds: number) => void (passed += seconds * 1000);

/** A body that has begun and does not go on by itself. */
function stalledBody(begin: string) {
  let feed: ReadableStreamDefaultController<Uint8Array>;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      feed = controller;
      feed.enqueue(new TextEncoder().encode(begin));
    },
  });
  return { body, feed: (text: string) => feed.enqueue(new TextEncoder().encode(text)), end: () => feed.close() };
}

const request = (body: ReadableStream<Uint8Array>, headers: Record<string, string>) =>
  new Request("http://localhost/", { method: "POST", body, headers });
const FORM = { "content-type": "multipart/form-data; boundary=b" };
const FILE = '--b\r\ncontent-disposition: form-data; name="file"; filename="a"\r\n\r\nabc';
const SLOW = "The body did not come, or came too slowly.";
const LIMITS = { maxFileBytes: 1000, maxBodyBytes: 100_000 };
const size = (bytes: Uint8Array) => Promise.resolve(bytes.byteLength);

const receiveForm = (asked: Request) =>
  receiveFile(asked, LIMITS, async (_, { bytes }) => await new Response(bytes.readable()).text());

const BODIES: [string, string, (body: ReadableStream<Uint8Array>) => Promise<unknown>][] = [
  ["a small body", "{", (body) => receiveBody(request(body, { "content-length": "100" }), 1000, "a", size)],
  ["a body of untold length", "{", (body) => receiveBody(request(body, {}), 1000, "a", size)],
  ["a large body", " ".repeat(1_100_000), (body) => receiveBody(request(body, {}), 9_000_000, "a", size)],
  ["a form", FILE, (body) => receiveForm(request(body, FORM))],
];

for (const [claim, begin, receive] of BODIES) {
  Deno.test(`pace: ${claim} that does not go on is request_timeout after a minute`, async () => {
    let isOver = false;
    const received = receive(stalledBody(begin).body).finally(() => isOver = true);
    const refused = assertRejects(() => received, OperationError, SLOW);
    await eventually(() => Promise.resolve(letPass(61)), () => isOver);
    await refused;
  });
}

Deno.test("pace: a form that does not go on while others wait for its place is given up after ten seconds", async () => {
  const inTurn = createTurns(2);
  const limits = { ...LIMITS, isHurried: inTurn.isCrowded };
  let begun = 0;
  const receive = () =>
    receiveFile(request(stalledBody(FILE).body, FORM), limits, (_, { bytes }) => {
      begun++;
      return bytes.sample;
    });
  const stalled = ["a", "b"].map((holder) => assertRejects(() => inTurn(holder, receive), OperationError, SLOW));
  await eventually(() => Promise.resolve(begun), (begun) => begun === 2);
  assertEquals(inTurn.isCrowded(), false);
  const waiting = inTurn("c", () => Promise.resolve("had its turn"));
  letPass(11);
  const { promise: isLookedAt, resolve } = Promise.withResolvers<void>();
  new Pace(resolve, 0).wait();
  await isLookedAt;
  const patience = new Promise((resolve) => setTimeout(resolve, 5000, "still waits"));
  assertEquals(await Promise.race([waiting, patience]), "had its turn");
  let isOver = false;
  const all = Promise.all(stalled).then(() => isOver = true);
  await eventually(() => Promise.resolve(letPass(61)), () => isOver);
  await all;
});

Deno.test("pace: who sends drop by drop gains no time by it, and who is slow is waited for", async () => {
  const [dripping, slow] = [stalledBody("{"), stalledBody("{")];
  const refused = assertRejects(
    () => receiveBody(request(dripping.body, {}), 9_000_000, "a", size),
    OperationError,
    SLOW,
  );
  const received = receiveBody(request(slow.body, {}), 9_000_000, "b", size);
  for (let times = 0; times < 3; times++) {
    await new Promise((resolve) => setTimeout(resolve));
    letPass(25);
    dripping.feed(" ");
    slow.feed(" ".repeat(120_000));
  }
  await refused;
  slow.end();
  assertEquals(await received, 360_001);
});

Deno.test("pace: a large answer comes whole, and tells its size", async () => {
  const text = "ä".repeat(500_000);
  const { body, headers } = jsonBody({ text }, () => "reader");
  assertEquals(headers, { "content-length": String(1_000_000 + '{"text":""}'.length) });
  assertEquals(await new Response(body).json(), { text });
});

Deno.test("pace: an answer that nobody takes breaks off at last, and one that is a stream ends its source", async () => {
  const { body } = jsonBody("x".repeat(1_000_000), () => "sleeper");
  let isEnded = false;
  const source = new ReadableStream<Uint8Array<ArrayBuffer>>({ cancel: () => void (isEnded = true) });
  const readers = [new Response(body), new Response(pacedStream(source))].map(({ body }) => body?.getReader());
  letPass(151);
  await eventually(() => Promise.resolve(isEnded), Boolean);
  for (const reader of readers) await reader?.read().then(() => assert(false, "It went on"), () => {});
});

Deno.test("pace: who does not read their large answers gets no more of them, until they do; others do", async () => {
  const inTurn = createTurns(4, true);
  const made: ReadableStream[] = [];
  const answer = () =>
    inTurn("sleeper", () => {
      made.push(jsonBody("x".repeat(5_000_000), () => "sleeper").body as ReadableStream);
      return Promise.resolve();
    });
  const all = Promise.all(Array.from({ length: 20 }, answer));
  await inTurn("somebody else", () => Promise.resolve());
  for (let times = 0; times < 20; times++) await new Promise((resolve) => setTimeout(resolve));
  const unread = made.length;
  assert(unread >= 2 && unread <= 5, `${unread} were made`);
  for (let read = 0; read < 20; read++) {
    await eventually(() => Promise.resolve(made.length), (length) => length > read);
    await new Response(made[read]).bytes();
  }
  await all;
});
