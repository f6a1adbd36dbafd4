// Binds a handler to its contract: what enters is parsed by it, what leaves is checked against it.
import type * as z from "zod";
import type { Operation } from "../../../shared/contract/operation.ts";
import { type AppContext, holderOf, requireUnexpired } from "./auth.ts";
import { DEFAULT_MAX_BYTES, parseBody, parseInput, receiveBody, requireJson, weigh } from "./body.ts";
import { jsonBody, pacedStream } from "./sending.ts";
import { inTurn } from "./turns.ts";

/** What a handler gives back: the body, and one of the operation's statuses (the first where absent). What is no JSON
 * it answers as a Response of its own. */
export interface Answer {
  body?: unknown;
  status?: Operation["statuses"][number];
  headers?: Record<string, string>;
}

/** One operation of a function, ready to be mounted. */
export interface Route {
  operation: Operation;
  handle(context: AppContext): Promise<Response>;
}

/**
 * `route(claimTasks, async (input, context) => ({ body: await callDoor(context, "claim_tasks", input) }))`
 * @param parse where the handler parses parts of the input itself: what is left to do before
 */
export function route<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
  handler: (input: z.output<Input>, context: AppContext) => Promise<Answer | Response>,
  parse: (value: unknown) => z.output<Input> = (value) => parseInput(operation.input, value),
): Route {
  return {
    operation,
    async handle(context) {
      const answer = async (given: unknown) => {
        const answered = await handler(parse(given), context);
        return answered instanceof Response ? pacedAnswer(answered) : render(operation, context, answered);
      };
      if (operation.body !== "json") return await answer({ ...context.req.query(), ...context.req.param() });
      const request = context.req.raw;
      requireJson(request);
      const holder = holderOf(context);
      return await receiveBody(
        request,
        operation.maxBodyBytes ?? DEFAULT_MAX_BYTES,
        holder,
        (bytes) =>
          inTurn(weigh(bytes), () => {
            requireUnexpired(context);
            return answer(parseBody(bytes));
          }, holder),
      );
    },
  };
}

function render(operation: Operation, context: AppContext, { body, status, headers }: Answer): Response {
  const code = status ?? operation.statuses[0] ?? 200;
  if (code === 204 || code === 302) return context.body(null, code, headers);
  const json = jsonBody(operation.output.parse(body), () => holderOf(context));
  return context.body(json.body, code, { "content-type": "application/json", ...json.headers, ...headers });
}

const pacedAnswer = (answer: Response) => new Response(answer.body && pacedStream(answer.body), answer);

/** For a body the contract cannot parse in one piece: the handler reads the request itself. */
export function streamedRoute<Input extends z.ZodType, Output extends z.ZodType>(
  operation: Operation<Input, Output>,
  handler: (context: AppContext) => Promise<Answer>,
): Route {
  return {
    operation,
    async handle(context) {
      return render(operation, context, await handler(context));
    },
  };
}
