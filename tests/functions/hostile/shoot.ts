// The property of every route: whatever it is sent, it answers with a refusal that tells nothing of our insides, nothing
// of the world it aimed at has changed, and the process is there and no larger than before.
//
// GENESIS_RUNS says how many requests each route gets (1,000 where absent), GENESIS_SEED repeats a run.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { ERROR_CODES, type ErrorBody, isErrorCode } from "../../../shared/errors.ts";
import { PATIENCE_MS } from "../../support/eventually.ts";
import { INSIDES } from "../../support/http.ts";
import { stack } from "../../support/stack.ts";
import { BAD_CREDENTIALS } from "../credentials.ts";
import { type FunctionProcess, platformEnvironment, startFunctionProcess } from "../function_process.ts";
import { CONTRACTS } from "../routes.ts";
import { type HostileRequest, hostileRequests, type Sender } from "./requests.ts";
import { rawPaths } from "./raw_paths.ts";
import { createWorld, fingerprint, type World } from "./world.ts";
import { SEED } from "../../support/seed.ts";

const RUNS = Math.max(1000, Number(Deno.env.get("GENESIS_RUNS") ?? 1000));
/** How many are under way at once. */
const AT_ONCE = 20;
/** Every so many go through the stack's gateway instead of straight to the function. */
const BY_GATEWAY = 10;
/** What a process may hold more at the end than after its first route, and at all, in bytes. */
const GROWTH = 64 * 1_048_576;
const LIMIT = 256_000_000;

type Credentials = Record<string, Record<string, string>>;

async function credentialsOf({ project: { owner, stranger } }: World): Promise<Credentials> {
  const withToken = (token: string) => ({ apikey: stack.publishableKey, authorization: `Bearer ${token}` });
  const bad = await Promise.all(BAD_CREDENTIALS.map(([, make]) => make(owner)));
  return {
    owner: withToken(owner.token),
    stranger: withToken(stranger.token),
    worker: { apikey: stack.secretKey },
    ...Object.fromEntries(bad.map((headers, number) => [`bad credentials ${number}` satisfies Sender, headers])),
  };
}

/** A batch refuses each report by itself: is there one that it refused? */
function refusesOne(text: string): boolean {
  const { results } = JSON.parse(text) as { results?: { ok: boolean; error?: { code: string } }[] };
  return results?.some(({ ok, error }) => !ok && isErrorCode(error?.code ?? "")) ?? false;
}

/** Is this answer one that a hostile request may get? Throws with what is wrong. */
export function checkAnswer(status: number, headers: Headers, text: string, mustFail: boolean): void {
  assert(status < 500, `${status} ${text}`);
  assert(!mustFail || status >= 400 || refusesOne(text), `It was taken: ${status} ${text}`);
  assert(!INSIDES.test(text), `It shows our insides: ${text}`);
  if (status < 400) return;
  const { error }: ErrorBody = JSON.parse(text);
  assertEquals(Object.keys(error).sort(), ["code", "details", "message", "request_id"]);
  assert(isErrorCode(error.code) && ERROR_CODES[error.code].status === status, `${status} with the code ${error.code}`);
  assertEquals(headers.get("x-request-id"), error.request_id);
}

const shown = (request: HostileRequest) => {
  const body = request.body instanceof Uint8Array ? `bytes ${request.body.toHex()}` : request.body;
  return JSON.stringify({ ...request, body: body?.slice(0, 1500) });
};

/** The tests of one function. */
export function testHostileInput(slug: string): void {
  const operations = CONTRACTS.find((contract) => contract.slug === slug)?.operations ?? [];
  let made: Promise<{ world: World; before: Record<string, string>; credentials: Credentials }> | undefined;
  let started: Promise<FunctionProcess> | undefined;
  let memoryAtFirst: number | undefined;
  const setUp = () =>
    made ??= (async () => {
      const world = await createWorld();
      return { world, before: await fingerprint(world), credentials: await credentialsOf(world) };
    })();
  const start = async () =>
    await startFunctionProcess(slug, {
      ...await platformEnvironment(),
      // As on the platform, with a connection of its own; what comes by the gateway goes as the stack has it.
      SUPABASE_DB_URL: stack.databaseUrl,
      // With room for ever, V8 collects when it likes: so what is kept shows as growth, or as the end of the process.
      DENO_V8_FLAGS: "--max-old-space-size=80,--max-semi-space-size=4",
    });
  const process = () => started ??= start();
  Deno.test.afterAll(async () => await (await started)?.[Symbol.asyncDispose]());

  async function shoot(request: HostileRequest, credentials: Credentials, base: string): Promise<void> {
    const response = await fetch(`${base}/${request.path}`, {
      method: request.method,
      redirect: "manual",
      body: request.body,
      headers: { ...request.headers, ...credentials[request.sender] },
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await response.text();
    try {
      checkAnswer(response.status, response.headers, text, request.mustFail);
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\n  in answer to ${shown(request)}`, { cause });
    }
  }

  for (const operation of operations) {
    const route = `${operation.method} /${slug}${operation.path === "/" ? "" : operation.path}`;
    Deno.test(`hostile: ${route} refuses ${RUNS} malformed requests and nothing changes`, async () => {
      const { world, before, credentials } = await setUp();
      const { url, log } = await process();
      const direct = url.slice(0, -slug.length - 1);
      const ids = (field: string) => world.ids[field] ?? crypto.randomUUID();
      const requests = hostileRequests({ slug, operation, ids, badCredentials: BAD_CREDENTIALS.length });
      let sent = 0;
      const property = fc.asyncProperty(
        fc.array(requests, { minLength: AT_ONCE, maxLength: AT_ONCE }),
        async (volley) => {
          await Promise.all(volley.map((request) => {
            const base = ++sent % BY_GATEWAY === 0 ? `${stack.url}/functions/v1` : direct;
            return shoot(request, credentials, base);
          }));
        },
      );
      // A request that fails is one of many that were on their way: it is shown as it is, not made smaller.
      const result = await fc.check(property, { numRuns: Math.ceil(RUNS / AT_ONCE), seed: SEED, endOnFailure: true });
      const cause = result.errorInstance instanceof Error ? result.errorInstance.message : "";
      assert(!result.failed, `GENESIS_SEED=${SEED}, after ${sent} requests: ${cause}\n${log().slice(-3000)}`);
      assert(sent >= RUNS, `Only ${sent} were sent`);
      assertEquals(await fingerprint(world), before);
      memoryAtFirst ??= (await (await process()).memory())?.now;
    });
  }

  Deno.test(`hostile: ${slug} answers paths that no client would write with a refusal`, async () => {
    const { world, before, credentials } = await setUp();
    const { url } = await process();
    await rawPaths(new URL(url), slug, credentials.stranger ?? {}, checkAnswer);
    assertEquals(await fingerprint(world), before);
  });

  Deno.test(`hostile: ${slug} is there after all of it, without a fault in its log, and gives its memory back`, async () => {
    const { url, log, isRunning, memory } = await process();
    assert(isRunning());
    assertEquals(log().split("\n").filter((line) => /"event":"(internal|unavailable)"|Uncaught/.test(line)), []);
    const most = Math.min(LIMIT, (memoryAtFirst ?? LIMIT) + GROWTH);
    // Memory comes back when the collector has run, which small requests bring about.
    const deadline = Date.now() + PATIENCE_MS;
    while (((await memory())?.now ?? 0) > most && Date.now() < deadline) {
      for (let request = 0; request < 50; request++) await (await fetch(`${url}/health`)).text();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const now = (await memory())?.now ?? 0;
    assert(now <= most, `It holds ${Math.round(now / 1e6)} MB, ${Math.round((memoryAtFirst ?? 0) / 1e6)} MB at first`);
  });
}
