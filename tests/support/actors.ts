// People over HTTP: real sign-ups on the running stack, each with a client of their own.
import { createClient, type SupabaseClient, type SupabaseClientOptions } from "@supabase/supabase-js";
import type { Database } from "../../shared/database.types.ts";
import { PATIENCE_MS } from "./eventually.ts";
import { stack } from "./stack.ts";

const options = {
  auth: { persistSession: false, autoRefreshToken: false },
  // A join that waits for a busy machine is no failure.
  realtime: { timeout: PATIENCE_MS },
};

export type Client = SupabaseClient<Database>;

/** Someone with the publishable key and no account. */
export const anonymous = (): Client => createClient<Database>(stack.url, stack.publishableKey, options);

/** A worker: whoever has the secret key. */
export const worker = (more: Pick<SupabaseClientOptions<"public">, "global"> = {}): Client =>
  createClient<Database>(stack.url, stack.secretKey, { ...options, ...more });

export interface Person {
  id: string;
  email: string;
  token: string;
  client: Client;
}

/** Signs a new person up, with an address of their own where none is given. */
export async function signUp(
  name = "person",
  email = `${name}-${crypto.randomUUID()}@example.com`,
): Promise<Person> {
  const client = anonymous();
  const { data, error } = await client.auth.signUp({ email, password: "correct-horse-battery-staple" });
  if (error || !data.session || !data.user) throw new Error(`Cannot sign up: ${error?.message ?? "no session"}`);
  return { id: data.user.id, email, token: data.session.access_token, client };
}

/** A new project of that person's. */
export async function createProject(owner: Person): Promise<string> {
  const { data, error } = await owner.client.from("projects").insert({ name: "A project", owner_id: owner.id })
    .select("id").single();
  if (error) throw new Error(`Cannot create a project: ${error.message}`);
  return data.id;
}

/** Makes someone a member by invitation, the way people do. */
export async function addMember(owner: Person, projectId: string, person: Person, role: "editor" | "viewer" | "owner") {
  const admin = worker();
  const { error } = await admin.from("project_collaborators").insert({
    project_id: projectId,
    user_id: person.id,
    role,
  });
  if (error) throw new Error(`${owner.email} cannot add ${person.email}: ${error.message}`);
}
