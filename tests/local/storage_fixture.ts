// What the Storage tests share: the running stack's address, its own bucket, policies and users, and clients for them.
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import postgres from "postgres";

function required(name: string): string {
  const value = Deno.env.get(name);
  if (!value) throw new Error(`Cannot test Storage as ${name} is not set: start the stack and use its stack.env`);
  return value;
}

export const url = required("SUPABASE_URL").replace(/\/$/, "");
export const publishableKey = required("SUPABASE_PUBLISHABLE_KEY");
const secretKey = required("SUPABASE_SECRET_KEY");

/** The `postgres` role's connection, as migrations have it. */
export const sql = postgres(required("SUPABASE_DB_URL"), { max: 2, onnotice: () => {} });

const id = crypto.randomUUID().slice(0, 8);
export const bucket = `test-${id}`;
export const otherBucket = `other-${id}`;
export const publicBucket = `public-${id}`;
export const limitedBucket = `limited-${id}`;

const client = (key: string): SupabaseClient =>
  createClient(url, key, { auth: { persistSession: false, autoRefreshToken: false } });

export interface User {
  id: string;
  client: SupabaseClient;
}

export const anon = client(publishableKey);
export const secret = client(secretKey);

export async function signUp(): Promise<User> {
  const user = client(publishableKey);
  const email = `${crypto.randomUUID()}@example.com`;
  const { data, error } = await user.auth.signUp({ email, password: "correct horse battery staple" });
  if (error || !data.user) throw new Error(`Cannot sign up for a test: ${error?.message}`);
  return { id: data.user.id, client: user };
}

/** Policies by folder: own/<user id> everything, drop/ INSERT only, shared/ SELECT only, signed/ SELECT only to sign. */
const policies = {
  own: `for all to authenticated using (%) with check (%)`.replaceAll(
    "%",
    `bucket_id in ('${bucket}', '${otherBucket}', '${limitedBucket}') and (storage.foldername(name))[1] = 'own'
      and (storage.foldername(name))[2] = (select auth.uid())::text`,
  ),
  drop: `for insert to authenticated with check (bucket_id = '${bucket}' and (storage.foldername(name))[1] = 'drop')`,
  shared: `for select to authenticated using (bucket_id = '${bucket}' and (storage.foldername(name))[1] = 'shared')`,
  signed: `for select to authenticated using (bucket_id = '${bucket}' and (storage.foldername(name))[1] = 'signed'
    and storage.allow_only_operation('object.sign'))`,
};

export async function setUp(): Promise<void> {
  for (const [name, rule] of Object.entries(policies)) {
    await sql.unsafe(`create policy "storage test ${id} ${name}" on storage.objects ${rule}`);
  }
  const limits = { fileSizeLimit: 1000, allowedMimeTypes: ["image/*", "text/plain"] };
  await ok(secret.storage.createBucket(bucket));
  await ok(secret.storage.createBucket(otherBucket));
  await ok(secret.storage.createBucket(publicBucket, { public: true }));
  await ok(secret.storage.createBucket(limitedBucket, { public: false, ...limits }));
}

export async function tearDown(): Promise<void> {
  for (const name of [bucket, otherBucket, publicBucket, limitedBucket]) {
    await secret.storage.emptyBucket(name);
    await secret.storage.deleteBucket(name);
  }
  for (const name of Object.keys(policies)) {
    await sql.unsafe(`drop policy if exists "storage test ${id} ${name}" on storage.objects`);
  }
  await sql.end();
}

/** The data of an answer; throws its error. */
export async function ok<T>(answer: PromiseLike<{ data: T; error: unknown }>): Promise<NonNullable<T>> {
  const { data, error } = await answer;
  if (error) throw error;
  if (data === null || data === undefined) throw new Error("Expected data, got none");
  return data;
}

/** What was refused: the platform's status in the body, and the message. */
export async function refusal(answer: PromiseLike<{ error: unknown }>): Promise<string> {
  const { error } = await answer;
  if (!(error instanceof Error)) return "nothing was refused";
  return `${"statusCode" in error ? error.statusCode : "?"} ${error.message}`;
}

export const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** Deterministic bytes of any length. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(length);
  for (let i = 0, x = seed; i < length; i++) result[i] = x = (x * 1103515245 + 12345) & 0xff;
  return result;
}
