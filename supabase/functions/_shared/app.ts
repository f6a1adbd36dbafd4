// What every function is made of: a small app that listens at once, with request ids, CORS and /health in place. The
// operations behind it are loaded by the first request that needs one, which keeps cold starts short.
import { Hono } from "hono";
import { cors } from "hono/cors";
import "./env.ts";
import { fail } from "./failure.ts";
import type { Route } from "./route.ts";

/** What a function's operations.ts exports. */
export interface Operations {
  routes: Route[];
}

/** What supabase-js may send, tracing and retries included, and what our own operations read. */
const ALLOWED_HEADERS = ["authorization", "apikey", "content-type", "idempotency-key", "x-client-info", "x-request-id"]
  .concat("x-region", "x-retry-count", "traceparent", "tracestate", "baggage");

/** A request id of the caller's is kept when it is sane, so that their log and ours meet. */
function requestIdOf(given: string | undefined): string {
  return given && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : crypto.randomUUID();
}

/** The app of a function, which its index.ts exports. `load` imports its operations, which the first request waits for. */
export function createApp(
  slug: string,
  load: () => Promise<Operations>,
): { fetch(request: Request): Promise<Response> } {
  const app = new Hono<{ Variables: { requestId: string } }>({ strict: false }).basePath(`/${slug}`);

  app.use(async (context, next) => {
    context.set("requestId", requestIdOf(context.req.header("x-request-id")));
    await next();
    context.header("x-request-id", context.var.requestId);
    // A worker's request carries no Authorization, without which caches on the way may keep what they like.
    context.header("cache-control", "no-store");
    context.header("x-content-type-options", "nosniff");
  });
  app.use(cors({
    origin: "*",
    allowMethods: ["GET", "POST", "DELETE", "OPTIONS"],
    allowHeaders: ALLOWED_HEADERS,
    exposeHeaders: ["allow", "retry-after", "x-request-id"],
    maxAge: 86_400,
  }));
  app.get("/health", (context) => context.json({ status: "ok" }));

  const loadRouter = async () => {
    const [{ createRouter }, { routes }] = await Promise.all([
      import("./router.ts"),
      load(),
    ]);
    return createRouter(slug, routes);
  };
  let router: ReturnType<typeof loadRouter> | undefined;
  const operations = app.all(
    "*",
    async (context) => (await (router ??= loadRouter())).fetch(context.req.raw, { requestId: context.var.requestId }),
  );

  app.onError((error, context) => fail(context, error, context.var.requestId));
  return { fetch: async (request) => await operations.fetch(request) };
}
