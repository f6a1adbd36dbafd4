// What every operation of the Storage API is given, and small helpers to read its request.
import type { z } from "zod";
import type { Database, Scope } from "./database.ts";
import { invalidRequest } from "./errors.ts";
import type { FileStore } from "./files.ts";
import type { Tokens } from "./tokens.ts";

/** The parts of the service that operations work with. */
export interface Services {
  database: Database;
  files: FileStore;
  tokens: Tokens;
  /** Upper limit for any object, in bytes; a bucket's own limit may be lower. */
  fileSizeLimitBytes: number;
}

/** One call: its request, who makes it, and the bucket and object its URL names ("" where the route has none). */
export interface Call {
  request: Request;
  url: URL;
  scope: Scope;
  bucket: string;
  object: string;
}

export type Operation = (call: Call, services: Services) => Promise<Response>;

/** Reads a JSON body and checks it; throws InvalidRequest with the first thing that is wrong. */
export async function readJson<T>(call: Call, schema: z.ZodType<T>): Promise<T> {
  let body: unknown;
  try {
    body = await call.request.json();
  } catch {
    throw invalidRequest("The request body must be JSON");
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw invalidRequest(`body/${issue?.path.join("/") ?? ""} ${issue?.message ?? "is invalid"}`);
}

export const isUpsert = (call: Call): boolean => call.request.headers.get("x-upsert") === "true";
