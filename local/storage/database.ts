// Runs Storage's SQL in transactions that speak as someone, so that the policies on storage.objects decide.
import postgres from "postgres";
import type { Caller } from "../caller.ts";
import { fromPostgres } from "./errors.ts";

export type Transaction = postgres.TransactionSql;

/** A row of storage.objects, as far as the service reads it. */
export interface ObjectRow {
  id: string;
  bucket_id: string;
  name: string;
  version: string | null;
  metadata: ObjectMetadata | null;
  user_metadata: Record<string, unknown> | null;
  created_at: Date;
  updated_at: Date;
}

/** What the platform keeps in storage.objects.metadata. */
export interface ObjectMetadata {
  eTag: string;
  size: number;
  mimetype: string;
  cacheControl: string;
  contentEncoding?: string;
  lastModified: string;
  contentLength: number;
  httpStatusCode: number;
}

/** Who the SQL speaks as, and for which API call (`storage.operation()` in policies). */
export interface Scope {
  caller: Caller;
  operation: string;
}

const SERVICE: Caller = { role: "service_role", claims: { role: "service_role" } };

/** The same call with the rights of the service itself: for what the platform does without asking the policies. */
export const asService = (scope: Scope): Scope => ({ ...scope, caller: SERVICE });

/** The user a caller is, if any: owner of what they upload. */
export function ownerOf(caller: Caller): string | null {
  return typeof caller.claims.sub === "string" ? caller.claims.sub : null;
}

/** Thrown inside a transaction whose only purpose was to see whether it would be allowed. */
const rollback = Symbol("rollback");

export class Database {
  constructor(private readonly sql: postgres.Sql) {}

  /** One transaction as the scope's caller. Throws StorageError for what the database refuses. */
  async run<T>(scope: Scope, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const { caller, operation } = scope;
    let result: { value: T } | undefined;
    try {
      await this.sql.begin(async (tx) => {
        await tx`
          select
            set_config('role', ${caller.role}, true),
            set_config('request.jwt.claim.role', ${caller.role}, true),
            set_config('request.jwt.claim.sub', ${ownerOf(caller) ?? ""}, true),
            set_config('request.jwt.claims', ${JSON.stringify(caller.claims)}, true),
            set_config('storage.operation', ${operation}, true),
            set_config('storage.allow_delete_query', 'true', true)`;
        result = { value: await work(tx) };
      });
    } catch (cause) {
      if (cause instanceof postgres.PostgresError) throw fromPostgres(cause);
      throw cause;
    }
    if (!result) throw new Error("Cannot read a transaction's result: it ended without one");
    return result.value;
  }

  /** Like `run`, but nothing is kept: tells by throwing whether the caller would be allowed to. */
  async test(scope: Scope, work: (tx: Transaction) => Promise<unknown>): Promise<void> {
    try {
      await this.run(scope, async (tx) => {
        await work(tx);
        throw rollback;
      });
    } catch (cause) {
      if (cause !== rollback) throw cause;
    }
  }

  /** An object as the scope's caller sees it: what a policy hides is not there. */
  async find(scope: Scope, bucket: string, name: string): Promise<ObjectRow | undefined> {
    const [row] = await this.run(scope, (tx) => findObject(tx, bucket, name));
    return row;
  }
}

export function findObject(tx: Transaction, bucket: string, name: string) {
  return tx<ObjectRow[]>`
    select id, bucket_id, name, version, metadata, user_metadata, created_at, updated_at
    from storage.objects
    where bucket_id = ${bucket} and name = ${name} and archived_at is null and not is_delete_marker`;
}
