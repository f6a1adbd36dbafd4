// The verification type `email`, which the platform recommends and lite does not know: a code or link of a sign-in or of a
// sign-up. Lite's `magiclink` finds either.

/** Passes a request on to Auth, in lite's words. */
export function verifyEmail(auth: (request: Request) => Promise<Response>): typeof auth {
  return async (request) => {
    const url = new URL(request.url);
    if (!url.pathname.endsWith("/verify")) return await auth(request);
    if (url.searchParams.get("type") === "email") {
      url.searchParams.set("type", "magiclink");
      return await auth(new Request(url, request));
    }
    if (request.method !== "POST") return await auth(request);
    const text = await request.text();
    const as = (body: string) => auth(new Request(request.url, { method: "POST", headers: request.headers, body }));
    const asked = readObject(text);
    if (asked?.type !== "email") return await as(text);
    return await as(JSON.stringify({ ...asked, type: "magiclink" }));
  };
}

function readObject(text: string): Record<string, unknown> | undefined {
  try {
    return Object(JSON.parse(text));
  } catch {
    return undefined;
  }
}
