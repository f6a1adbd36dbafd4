// What every function is made of: a Hono app below the function's own path, with request ids, CORS, authentication,
// contracts and errors already in place. An operation adds one handler.
import { Hono } from "hono";
import { cors } from "hono/cors";
import { HTTPException } from "hono/http-exception";
import type * as z from "zod";
import type { Operation } from "../../../shared/contract/operation.ts";
import { type AppContext, authenticate, type Env } from "./auth.ts";
import { parseInput, readJson } from "./body.ts";
import "./env.ts";
import { OperationError, renderError } from "./errors.ts";
import { log } from "./log.ts";

/** What a handler gives back; the status is one of the operation's own, the first where absent. */
export interface Answer<Output> {
  body: Output;
  status?: 200 | 201;
}

/** One operation of a function: its contract and the handler that fulfils it. */
export interface Route {
  operation: Operation;
  handle(context: AppContext): Promise<Response>;
}

/** Binds a handler to a contract. What enters is parsed by it and what leaves is checked against it. */
export function route<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
  handler: (
    input: z.output<Input>,
    context: AppContext,
  ) => Promise<Answer<unknown>>,
): Route {
  return {
    operation,
    async handle(context) {
      const body = operation.body === "json"
        ? await readJson(context, operation.maxBodyBytes)
        : context.req.query();
      const input = operation.body === "multipart"
        ? undefined
        : parseInput(operation.input, body);
      const answer = await handler(input as z.output<Input>, context);
      return context.json(
        operation.output.parse(answer.body),
        answer.status ?? operation.statuses[0] ?? 200,
      );
    },
  };
}

/** A request id of the caller's is kept when it is sane, so that their log and ours meet. */
function requestIdOf(given: string | undefined): string {
  return given && /^[A-Za-z0-9._:-]{1,128}$/.test(given)
    ? given
    : crypto.randomUUID();
}

/** The Hono app of a function: `createApp("start-workflow", [route(startWorkflow, …)])`. */
export function createApp(slug: string, routes: Route[]): Hono<Env> {
  const app = new Hono<Env>().basePath(`/${slug}`);

  app.use("*", async (context, next) => {
    context.set("requestId", requestIdOf(context.req.header("x-request-id")));
    await next();
    context.header("x-request-id", context.var.requestId);
  });
  app.use(
    "*",
    cors({
      origin: "*",
      allowMethods: ["GET", "POST", "DELETE", "OPTIONS"],
      allowHeaders: [
        "authorization",
        "apikey",
        "content-type",
        "idempotency-key",
        "x-client-info",
        "x-request-id",
      ],
      exposeHeaders: ["x-request-id"],
      maxAge: 86_400,
    }),
  );

  app.get("/health", (context) => context.json({ status: "ok" }));
  app.get("/openapi.json", async (context) => {
    // Loaded when asked for: it would cost every cold start its time.
    const { describe } = await import("./openapi.ts");
    return context.json(
      describe(slug, routes.map(({ operation }) => operation)),
    );
  });
  for (const { operation, handle } of routes) {
    app.on(
      operation.method,
      operation.path,
      authenticate(operation.callers),
      handle,
    );
  }

  const allowed = new Map<string, Set<string>>([["/health", new Set(["GET"])], [
    "/openapi.json",
    new Set(["GET"]),
  ]]);
  for (const { operation } of routes) {
    allowed.set(
      operation.path,
      (allowed.get(operation.path) ?? new Set()).add(operation.method),
    );
  }
  app.notFound((context) => {
    const path = context.req.path.slice(slug.length + 1) || "/";
    const methods = allowed.get(path);
    if (!methods) {
      return fail(
        context,
        new OperationError(
          "route_not_found",
          `There is no route ${path} here.`,
        ),
      );
    }
    context.header("allow", [...methods, "OPTIONS"].join(", "));
    return fail(
      context,
      new OperationError(
        "method_not_allowed",
        `Use ${[...methods].join(" or ")} here.`,
      ),
    );
  });
  app.onError((error, context) => fail(context, error));
  return app;
}

/** Renders any error: a refusal as itself, everything else as an opaque 500 whose cause is logged. */
function fail(context: AppContext, error: unknown): Response {
  const requestId = context.var.requestId ?? crypto.randomUUID();
  const refusal = asRefusal(error);
  if (refusal.status >= 500) {
    const cause = refusal.cause instanceof Error
      ? refusal.cause.stack
      : String(refusal.cause ?? refusal);
    log("error", refusal.code, {
      request_id: requestId,
      path: context.req.path,
      cause,
    });
  }
  context.header("x-request-id", requestId);
  return context.json(renderError(refusal, requestId), refusal.status as 400);
}

function asRefusal(error: unknown): OperationError {
  if (error instanceof OperationError) return error;
  if (error instanceof HTTPException && error.status < 500) {
    return new OperationError(
      "unauthorized",
      "Send a valid user token as Authorization: Bearer, or a secret key as apikey.",
    );
  }
  return new OperationError(
    "internal",
    "Something failed on our side; quote the request id.",
    {},
    { cause: error },
  );
}
