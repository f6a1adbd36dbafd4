// Edge functions: finds the one that a path names, checks its verify_jwt, and passes request and answer through unread.
import { decodeProtectedHeader, SignJWT } from "jose";
import type { Credentials } from "../caller_of.ts";
import { allowAnyOrigin, isPreflight, preflight } from "../cors.ts";
import { KEY_ID, secretBytes } from "../keys.ts";
import { prepareFunctions } from "./prepare.ts";
import { BootError, createRunner } from "./runner.ts";
import { functionNames, isFunction, settingsOf, sourceOf, type SourceOptions } from "./sources.ts";
import { watchSources } from "./watch.ts";

export interface FunctionsOptions extends SourceOptions {
  /** More folders that functions import from. */
  shared: string[];
  log(name: string, line: string): void;
}

export interface FunctionsService {
  /** `completed` settles when the answer has been read to its end, or given up. */
  fetch(request: Request, url: URL, credentials: Credentials, completed: Promise<void>): Promise<Response>;
  /** Why changed files are not noticed, in a sentence. */
  unwatched?: string;
  stop(): Promise<void>;
}

/** The platform answers 504 when a function has said nothing for this long, in milliseconds. */
const PATIENCE = 150_000;

/** Bodies up to this size go on in one piece; larger ones as a stream, never held in memory. */
const ONE_PIECE = 65_536;

/** What a page of any origin can read: where no function answers, nobody else would give it leave. */
function refuse(request: Request, status: number, code: string | number, message: string): Response {
  if (isPreflight(request)) return preflight(request);
  return allowAnyOrigin(Response.json({ code, message }, { status }));
}

/** @supabase/server wants to know which key a token was signed with; a token that does not say is signed again. */
function createSigner(jwtSecret: string): (text: string, claims: Record<string, unknown>) => Promise<string> {
  const signed = new Map<string, Promise<string>>();
  return (text, claims) => {
    const known = signed.get(text);
    if (known) return known;
    const namesItsKey = decodeProtectedHeader(text).kid !== undefined;
    const fresh = namesItsKey
      ? Promise.resolve(text)
      : new SignJWT(claims).setProtectedHeader({ alg: "HS256", typ: "JWT", kid: KEY_ID })
        .sign(secretBytes(jwtSecret));
    if (signed.size > 1000) signed.clear();
    signed.set(text, fresh);
    return fresh;
  };
}

export function startFunctions(options: FunctionsOptions): FunctionsService {
  async function prepare(): Promise<void> {
    const names = await functionNames(options);
    await prepareFunctions(await Promise.all(names.map((name) => sourceOf(options, name))));
  }
  let prepared: Promise<void> | undefined = prepare();
  const runner = createRunner(async (name) => {
    await (prepared ??= prepare());
    return await sourceOf(options, name);
  }, options.log);
  const sign = createSigner(options.keys.jwtSecret);
  // Asking the disk at each request would cost as much as everything else here; the watcher says when to ask again.
  const known = new Set<string>();
  const watch = watchSources(options.root, options.shared, (name) => {
    known.clear();
    prepared = undefined;
    runner.retire(name);
  });

  async function find(name: string): Promise<boolean> {
    if (!known.has(name) && await isFunction(options, name)) known.add(name);
    return known.has(name);
  }

  async function forward(request: Request, url: URL, headers: Headers, port: number): Promise<Response> {
    const { method, signal } = request;
    const length = Number(request.headers.get("content-length") ?? NaN);
    const body = request.body === null ? undefined : length <= ONE_PIECE ? await request.arrayBuffer() : request.body;
    const target = `http://127.0.0.1:${port}${url.pathname.slice("/functions/v1".length)}${url.search}`;
    const patience = Promise.withResolvers<never>();
    const timer = setTimeout(() => patience.reject(new DOMException("", "TimeoutError")), PATIENCE);
    try {
      // The request's own signal: a second one, to end it when patience does, would cost as much as the way itself.
      const answer = fetch(target, { method, headers, body, redirect: "manual", signal });
      // As it is: the runtime hands its body on by itself, which costs less than any copy of it.
      return await Promise.race([answer, patience.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    ...(watch.off === undefined ? {} : { unwatched: watch.off }),
    async fetch(request, url, { token, hasJwt }, completed) {
      const name = url.pathname.split("/")[3];
      if (!await find(name)) return refuse(request, 404, "NOT_FOUND", "Requested function was not found");
      // A preflight carries no credentials, and is answered by the function itself.
      if (settingsOf(options, name).verify_jwt && request.method !== "OPTIONS" && !hasJwt) {
        const missing = !request.headers.has("authorization");
        return refuse(request, 401, 401, missing ? "Missing authorization header" : "Invalid JWT");
      }
      const headers = new Headers(request.headers);
      for (const hop of ["host", "connection", "accept-encoding", "transfer-encoding"]) headers.delete(hop);
      headers.set("x-forwarded-host", url.host);
      headers.set("x-forwarded-proto", "http");
      headers.set("accept-encoding", "identity");
      if (token?.claims.sub) headers.set("authorization", `Bearer ${await sign(token.text, token.claims)}`);
      try {
        return await runner.withFunction(name, completed, (port) => forward(request, url, headers, port));
      } catch (thrown) {
        if (request.signal.aborted) return new Response(null, { status: 499 });
        if (thrown instanceof BootError) {
          options.log(name, `BOOT_ERROR: ${thrown.message}`);
          return refuse(request, 503, "BOOT_ERROR", "Function failed to start (please check logs)");
        }
        if (thrown instanceof DOMException && thrown.name === "TimeoutError") {
          return refuse(request, 504, "IDLE_TIMEOUT", "The function did not respond in time");
        }
        options.log(name, `WORKER_ERROR: ${thrown}`);
        return refuse(request, 502, "WORKER_ERROR", "Function exited due to an error (please check logs)");
      }
    },
    async stop() {
      watch.stop();
      await runner.stop();
    },
  };
}
