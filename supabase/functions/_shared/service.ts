// The client of the service itself, with the secret key: for what no caller may do by themselves. Its uses are listed in
// docs/security.md.
import { createClient } from "@supabase/supabase-js";
import type { Database } from "../../../shared/database.types.ts";
import { env } from "./env.ts";

const make = () =>
  createClient<Database>(env.supabaseUrl, env.secretKey, { auth: { persistSession: false, autoRefreshToken: false } });

let client: ReturnType<typeof make> | undefined;

export const serviceClient = () => client ??= make();
