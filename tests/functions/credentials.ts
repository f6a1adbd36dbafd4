// Credentials that are none: each must be answered with 401, however close it comes to a real one.
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import type { Person } from "../support/actors.ts";
import { stack } from "../support/stack.ts";

const base64url = (value: unknown) =>
  new TextEncoder().encode(JSON.stringify(value)).toBase64({ alphabet: "base64url", omitPadding: true });

/** The person's own token, signed again with other claims or another secret; it names the right key either way. */
export async function forge(
  person: Person,
  claims: Record<string, unknown> = {},
  secret = stack.jwtSecret,
): Promise<string> {
  const { kid = "" } = decodeProtectedHeader(person.token);
  return await new SignJWT({ ...decodeJwt(person.token), ...claims })
    .setProtectedHeader({ alg: "HS256", typ: "JWT", kid }).sign(new TextEncoder().encode(secret));
}

/** A token without signature, as a library that trusts its header would take it. */
function unsigned(person: Person, alg: string): string {
  const { kid } = decodeProtectedHeader(person.token);
  return `${base64url({ alg, typ: "JWT", kid })}.${base64url(decodeJwt(person.token))}.`;
}

/** The person's token with the sub of another in it, under the signature of the first. */
function altered(person: Person): string {
  const [header, , signature] = person.token.split(".");
  return `${header}.${base64url({ ...decodeJwt(person.token), sub: crypto.randomUUID() })}.${signature}`;
}

type Headers = Record<string, string>;

const seconds = (offset: number) => Math.floor(Date.now() / 1000) + offset;
const withToken = async (token: string | Promise<string>): Promise<Headers> => ({
  apikey: stack.publishableKey,
  authorization: `Bearer ${await token}`,
});

/** Name and headers of each. */
export const BAD_CREDENTIALS: [string, (person: Person) => Headers | Promise<Headers>][] = [
  ["no credential", () => ({})],
  ["the publishable key alone", () => ({ apikey: stack.publishableKey })],
  ["the publishable key as bearer", () => withToken(stack.publishableKey)],
  ["the secret key as bearer only", () => withToken(stack.secretKey)],
  ["a wrong secret key", () => ({ apikey: `${stack.secretKey}x` })],
  ["an empty key", () => ({ apikey: "" })],
  ["a bearer that is no token", () => withToken("a.b.c")],
  ["another scheme than Bearer", ({ token }) => ({ apikey: stack.publishableKey, authorization: `Basic ${token}` })],
  [
    "a token signed with another key",
    (person) => withToken(forge(person, {}, "another-secret-of-thirty-two-bytes-and-more")),
  ],
  ["a token of alg none", (person) => withToken(unsigned(person, "none"))],
  ["a token without its signature", (person) => withToken(unsigned(person, "HS256"))],
  ["a token with another person in it", (person) => withToken(altered(person))],
  ["an expired token", (person) => withToken(forge(person, { iat: seconds(-7200), exp: seconds(-3600) }))],
  ["a token that is not valid yet", (person) => withToken(forge(person, { nbf: seconds(3600) }))],
  ["a token for another audience", (person) => withToken(forge(person, { aud: "another-project" }))],
  ["a token of something that is no person", (person) => withToken(forge(person, { sub: "a machine" }))],
  ["a token of nobody", (person) => withToken(forge(person, { sub: undefined, role: "anon" }))],
  ["a token that names the role service_role", (person) => withToken(forge(person, { role: "service_role" }))],
  ["a token that names the role postgres", (person) => withToken(forge(person, { role: "postgres" }))],
  ["a person's token that names the role anon", (person) => withToken(forge(person, { role: "anon" }))],
  ["a token that names no role", (person) => withToken(forge(person, { role: undefined }))],
  [
    "a forged token beside the secret key",
    async (person) => ({ ...await withToken(altered(person)), apikey: stack.secretKey }),
  ],
];
