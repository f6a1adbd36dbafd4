// The people of the demo: new accounts at every run, so that a stack can hear the story as often as it likes.
import { type Client, connect } from "./calls.ts";
import type { StackAccess } from "./stack.ts";

export interface Person {
  id: string;
  name: string;
  email: string;
  password: string;
  client: Client;
}

/** Hosted Auth refuses example.com; a domain of one's own can be named instead. */
const DOMAIN = Deno.env.get("DEMO_EMAIL_DOMAIN") || "example.com";

/** Signs a person up and in. Throws a sentence when Auth wants a confirmation that nobody can give here. */
export async function signUp({ url, publishableKey }: StackAccess, name: string): Promise<Person> {
  const client = connect(url, publishableKey);
  const email = `${name.toLowerCase()}.${crypto.randomUUID().slice(0, 8)}@${DOMAIN}`;
  const password = crypto.randomUUID();
  const { data, error } = await client.auth.signUp({ email, password, options: { data: { full_name: name } } });
  if (error) throw new Error(`Cannot sign ${email} up: ${error.message} (${error.code ?? "no code"}).`);
  if (!data.user || !data.session) {
    throw new Error(`${email} must be confirmed first: the demo needs sign-ups without it ("Confirm email" off).`);
  }
  return { id: data.user.id, name, email, password, client };
}
