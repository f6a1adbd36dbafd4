// The verification types that lite does not know: `email`, which the platform recommends for the code or link of a sign-in or
// of a sign-up (lite's `magiclink` finds either), and `invite`.

const IN_LITES_WORDS: Record<string, string | undefined> = { email: "magiclink", invite: "signup" };

/** Passes a request on to Auth, in lite's words. */
export function verifyEmail(auth: (request: Request) => Promise<Response>): typeof auth {
  return async (request) => {
    const url = new URL(request.url);
    if (!url.pathname.endsWith("/verify")) return await auth(request);
    const asked = url.searchParams.get("type") ?? "";
    const type = IN_LITES_WORDS[asked];
    if (type !== undefined) {
      url.searchParams.set("type", type);
      return inTheirWords(await auth(new Request(url, request)), type, asked);
    }
    if (request.method !== "POST") return await auth(request);
    const text = await request.text();
    const as = (body: string) => auth(new Request(request.url, { method: "POST", headers: request.headers, body }));
    const body = readObject(text);
    const meant = IN_LITES_WORDS[String(body?.type)];
    return await as(meant === undefined ? text : JSON.stringify({ ...body, type: meant }));
  };
}

/** The site is told the type that the link had: it asks who was invited for a password. */
function inTheirWords(response: Response, type: string, asked: string): Response {
  const location = response.headers.get("location");
  if (location === null) return response;
  const headers = new Headers(response.headers);
  headers.set("location", location.replace(`&type=${type}`, `&type=${asked}`));
  return new Response(null, { status: response.status, headers });
}

function readObject(text: string): Record<string, unknown> | undefined {
  try {
    return Object(JSON.parse(text));
  } catch {
    return undefined;
  }
}
