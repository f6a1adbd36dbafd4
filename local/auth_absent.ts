// What the platform's Auth has and lite does not, refused in words. Lite asks for a bearer where nothing answers, takes a
// sign-up by phone for one without a name, and passes over a phone beside an address.
import { AuthRefusal } from "./auth_refusal.ts";

/** What lite answers. */
const ROUTES =
  /^\/auth\/v1\/(signup|token|verify|otp|magiclink|recover|resend|logout|user|reauthenticate|settings|health|authorize|callback|\.well-known\/.*)$/;
const ABSENT_GRANTS = new Set(["id_token", "web3"]);

export function absent(): Response {
  return new AuthRefusal(404, "not_found", "The local Auth has no such thing: see local/README.md").response;
}

function hasPhone(body: string): boolean {
  // Most bodies are none of these, and need not be read.
  if (!body.includes('"phone"')) return false;
  try {
    const { phone } = Object(JSON.parse(body));
    return typeof phone === "string" && phone !== "";
  } catch {
    return false;
  }
}

/** Auth, without what it does not have. */
export function withoutAbsent(auth: (request: Request) => Promise<Response>): typeof auth {
  return async (request) => {
    const url = new URL(request.url);
    const grant = url.pathname.endsWith("/token") ? url.searchParams.get("grant_type") : null;
    if (!ROUTES.test(url.pathname) || (grant !== null && ABSENT_GRANTS.has(grant))) return absent();
    if (request.method !== "POST" && request.method !== "PUT") return await auth(request);
    const body = await request.text();
    if (hasPhone(body)) {
      return new AuthRefusal(400, "phone_provider_disabled", "The local Auth has no phones: see local/README.md")
        .response;
    }
    return await auth(new Request(url, { method: request.method, headers: request.headers, body }));
  };
}
