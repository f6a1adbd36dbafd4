// The database behind the stack, for what no client may see or do: looking for leftovers, moving a date.
import postgres from "postgres";
import { stack } from "../support/stack.ts";

let connection: postgres.Sql | undefined;

/** One small pool per test file; idle connections end by themselves. */
export const sql = () => connection ??= postgres(stack.databaseUrl, { max: 2, onnotice: () => {}, idle_timeout: 1 });
