// The operations of a function as a Hono app: authentication and handler for each, 404 and 405 for what is left.
import { Hono, type MiddlewareHandler } from "hono";
import { authenticate, type Env } from "./auth.ts";
import { OperationError } from "./errors.ts";
import { fail } from "./failure.ts";
import type { Route } from "./route.ts";

/** A HEAD is answered as a GET without the body, which is given up at once: a zip would be made to its end. */
const answerHead = (counts: boolean): MiddlewareHandler<Env> => async (context, next) => {
  if (context.req.raw.method !== "HEAD") return await next();
  if (counts) return context.notFound();
  await next();
  await context.res.body?.cancel();
};

/** An id in a path is a UUID, so that `/:file_id` takes the name of no other route. */
const ID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
const isId = (parameter: string) => /(^|_)id$/.test(parameter);

/** A path of the contract as the router takes it, and as a pattern to ask which methods a path has. */
const mounted = (path: string) =>
  path.replace(/:(\w+)/g, (whole, name: string) => isId(name) ? `${whole}{${ID}}` : whole);
const patternOf = (path: string) =>
  new RegExp(`^${path.replace(/:(\w+)/g, (_, name: string) => isId(name) ? ID : "[^/]+")}$`);

/** Mounts the routes below the function's own path. */
export function createRouter(slug: string, routes: Route[]): Hono<Env> {
  const router = new Hono<Env>({ strict: false }).basePath(`/${slug}`);
  const known = ["GET", "HEAD"].map((method): [string, RegExp] => [method, /^\/(health|openapi\.json)$/]);
  for (const { operation: { method, path, callers, counts = false }, handle } of routes) {
    known.push([method, patternOf(path)]);
    if (method === "GET" && !counts) known.push(["HEAD", patternOf(path)]);
    router.on(method, mounted(path), answerHead(counts), authenticate(callers), handle);
  }
  router.get("/openapi.json", async (context) => {
    const { describe } = await import("./openapi.ts");
    return context.json(describe(slug, routes.map(({ operation }) => operation)));
  });

  router.notFound((context) => {
    const path = context.req.path.slice(slug.length + 1).replace(/\/$/, "") || "/";
    const allowed = known.filter(([, pattern]) => pattern.test(path)).map(([method]) => method);
    const { requestId } = context.env;
    if (allowed.length === 0) {
      return fail(context, new OperationError("route_not_found", "There is no such route here."), requestId);
    }
    context.header("allow", [...allowed, "OPTIONS"].join(", "));
    const refusal = new OperationError("method_not_allowed", `Use ${allowed.join(" or ")} here.`);
    return fail(context, refusal, requestId);
  });
  router.onError((error, context) => fail(context, error, context.env.requestId));
  return router;
}
