// Who a request speaks as, once the gateway has looked at its key and token.

/** `claims` is the JWT payload of a user, or just the role of an API key. */
export interface Caller {
  role: "anon" | "authenticated" | "service_role";
  claims: Record<string, unknown>;
}
