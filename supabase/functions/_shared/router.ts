// The operations of a function as a Hono app: authentication and handler for each, 404 and 405 for what is left.
import { Hono } from "hono";
import { authenticate, type Env } from "./auth.ts";
import { OperationError } from "./errors.ts";
import { fail } from "./failure.ts";
import type { Route } from "./route.ts";

const ID = "[0-9a-fA-F-]{36}";

/** A route's path for Hono: what is called an id has the form of one, so that `/nope` is no route. */
const withIds = (path: string) => path.replaceAll(/:(\w+_id)/g, `:$1{${ID}}`);

/** Does a path fit a route's, whatever the method? */
const matches = (route: string, path: string) =>
  new RegExp(`^${route.replaceAll(/:\w+_id/g, ID).replaceAll(/:\w+/g, "[^/]+")}$`).test(path);

/** Mounts the routes below the function's own path. */
export function createRouter(slug: string, routes: Route[]): Hono<Env> {
  const router = new Hono<Env>({ strict: false }).basePath(`/${slug}`);
  const methods = new Map<string, string[]>([["/health", ["GET"]], [
    "/openapi.json",
    ["GET"],
  ]]);
  for (const { operation: { method, path, callers }, handle } of routes) {
    methods.set(path, [...methods.get(path) ?? [], method]);
    router.on(method, withIds(path), authenticate(callers), handle);
  }
  router.get("/openapi.json", async (context) => {
    const { describe } = await import("./openapi.ts");
    return context.json(describe(slug, routes.map(({ operation }) => operation)));
  });

  router.notFound((context) => {
    const path = context.req.path.slice(slug.length + 1).replace(/\/$/, "") || "/";
    const allowed = methods.get(path) ?? [...methods].find(([route]) => matches(route, path))?.[1];
    const { requestId } = context.env;
    if (!allowed) {
      return fail(context, new OperationError("route_not_found", "There is no such route here."), requestId);
    }
    context.header("allow", [...allowed, "OPTIONS"].join(", "));
    const refusal = new OperationError("method_not_allowed", `Use ${allowed.join(" or ")} here.`);
    return fail(context, refusal, requestId);
  });
  router.onError((error, context) => fail(context, error, context.env.requestId));
  return router;
}
