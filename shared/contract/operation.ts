// What an operation is, for both sides of the wire: its name, its route, its shapes and its refusals.
import type { z } from "zod";
import type { ErrorCode } from "../errors.ts";

export interface Operation<
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
> {
  /** The one name: `start_workflow` here and in SQL, `startWorkflow` in the client. */
  readonly name: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the function's own path, e.g. `/claim`. */
  readonly path: string;
  readonly summary: string;
  /** Whose credential is taken: a person's token, the secret key of a worker, or both. */
  readonly callers: readonly ("user" | "secret")[];
  readonly body: "json" | "multipart" | "none";
  readonly input: Input;
  readonly output: Output;
  /** Success statuses, the usual one first. */
  readonly statuses: readonly (200 | 201)[];
  /** Refusals beyond the ones every route has. */
  readonly errors: readonly ErrorCode[];
  /** Largest body in bytes; 1 MiB where absent. */
  readonly maxBodyBytes?: number;
}

/** Keeps the literal types of a definition. */
export function operation<Input extends z.ZodType, Output extends z.ZodType>(
  definition: Operation<Input, Output>,
): Operation<Input, Output> {
  return definition;
}
