// The Storage service of the local stack: what a hosted project answers under /storage/v1, over PostgreSQL and a directory.
//
//   const storage = createStorage({ sql, directory: ".local/storage", signingSecret });
//   const response = await storage.fetch(request, { role: "authenticated", claims: { sub, role: "authenticated" } });
import type postgres from "postgres";
import type { Caller } from "../caller.ts";
import { Database } from "./database.ts";
import { StorageError } from "./errors.ts";
import { FileStore } from "./files.ts";
import { checkBucketName, checkObjectName, decodeName } from "./names.ts";
import type { Services } from "./request.ts";
import { type Route, routes } from "./routes.ts";
import { sweep } from "./sweep.ts";
import { Tokens } from "./tokens.ts";

const BASE_PATH = "/storage/v1";
/** What the platform takes in a standard upload. */
const DEFAULT_FILE_SIZE_LIMIT_BYTES = 5 * 1024 ** 3;

export interface StorageOptions {
  /** A superuser's connection: each call takes the caller's role inside its own transaction. */
  sql: postgres.Sql;
  /** Where the bytes of objects live; made when missing. */
  directory: string;
  /** Signs the tokens of signed URLs. */
  signingSecret: string;
  fileSizeLimitBytes?: number;
}

export interface StorageService {
  /** Answers a request whose path may begin with /storage/v1. Never throws. */
  fetch(request: Request, caller: Caller): Promise<Response>;
}

/** Makes the service and starts, in the background, to sweep away what a killed process left in the directory. */
export function createStorage(options: StorageOptions): StorageService {
  const files = new FileStore(options.directory);
  const services: Services = {
    database: new Database(options.sql),
    files,
    tokens: new Tokens(options.signingSecret),
    fileSizeLimitBytes: options.fileSizeLimitBytes ?? DEFAULT_FILE_SIZE_LIMIT_BYTES,
  };
  sweep(options.sql, files).catch((cause) => console.warn("Cannot sweep orphaned files of Storage:", cause));
  return {
    async fetch(request, caller) {
      try {
        return await answer(request, caller, services);
      } catch (cause) {
        const withBody = request.method !== "HEAD";
        if (cause instanceof StorageError) return cause.toResponse(withBody);
        console.error(`Storage failed at ${request.method} ${new URL(request.url).pathname}:`, cause);
        return new StorageError(500, "InternalError", "Internal server error").toResponse(withBody);
      }
    },
  };
}

function answer(request: Request, caller: Caller, services: Services): Promise<Response> {
  const url = new URL(request.url);
  const path = url.pathname.startsWith(`${BASE_PATH}/`) ? url.pathname.slice(BASE_PATH.length) : url.pathname;
  if (path === "/status") return Promise.resolve(new Response());
  const found = match(request.method === "HEAD" ? "GET" : request.method, path);
  if (!found) {
    const message = `Route ${request.method}:${path} not found`;
    throw new StorageError(404, "NotFound", message, "Not Found", 404);
  }
  const { route, bucket, object } = found;
  return route.run({
    request,
    url,
    scope: { caller, operation: route.operation },
    bucket: bucket === undefined ? "" : checkBucketName(decodeName(bucket)),
    object: object === undefined ? "" : checkObjectName(decodeName(object)),
  }, services);
}

function match(method: string, path: string): { route: Route; bucket?: string; object?: string } | undefined {
  for (const route of routes) {
    const groups = route.method === method ? route.pattern.exec(path) : null;
    if (groups) return { route, bucket: groups.groups?.bucket, object: groups.groups?.object };
  }
}
