// What an operation is, for both sides of the wire: its name, its route, its shapes and its refusals.
import type { z } from "zod";
import type { ErrorCode } from "../errors.ts";

/** Where an operation is found and what it may answer. */
export interface OperationHead {
  /** The one name: `start_workflow` here and in SQL, `startWorkflow` in the client. */
  readonly name: string;
  readonly method: "GET" | "POST" | "DELETE";
  /** Below the function's own path, e.g. `/claim` or `/:file_id`; a parameter called id or …_id is a UUID. */
  readonly path: string;
  readonly summary: string;
  /** Whose credential is taken: a person's token, the secret key of a worker, or both; empty where none is asked for. */
  readonly callers: readonly ("user" | "secret")[];
  /** Who may call it as `supabase.rpc(name)` as well, where that is not the same people: what more than rows is part of it. */
  readonly rpc?: readonly ("user" | "secret")[];
  /** `none`: the input is the query and the parameters of the path. */
  readonly body: "json" | "multipart" | "none";
  /** Success statuses, the usual one first. 204 and 302 have no body. */
  readonly statuses: readonly (200 | 201 | 204 | 302)[];
  /** Refusals beyond the ones every route has. */
  readonly errors: readonly ErrorCode[];
  /** A GET that counts, so that a HEAD of it, which asks for nothing of that, is refused. */
  readonly counts?: true;
  /** Largest body in bytes; 1 MiB where absent. */
  readonly maxBodyBytes?: number;
}

/** An operation with the shapes of what it takes and gives. */
export interface Operation<Input extends z.ZodType = z.ZodType, Output extends z.ZodType = z.ZodType>
  extends OperationHead {
  readonly input: Input;
  readonly output: Output;
}

/** Makes a value when it is first asked for, and keeps it. */
export function lazy<Value>(make: () => Value): () => Value {
  let made: { value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** The shapes are functions because making the first one costs a cold start about 10 ms; only a request needs them. */
export function operation<Input extends z.ZodType, Output extends z.ZodType>(
  { input, output, ...head }: OperationHead & { input: () => Input; output: () => Output },
): Operation<Input, Output> {
  const [inputOnce, outputOnce] = [lazy(input), lazy(output)];
  return {
    ...head,
    get input() {
      return inputOnce();
    },
    get output() {
      return outputOnce();
    },
  };
}
