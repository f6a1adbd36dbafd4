// Cross-origin answers for Auth, Data and Storage, as the platform's gateway gives them; functions do their own.

const METHODS = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT";
const EXPOSED = "Content-Encoding, Content-Location, Content-Range, Content-Type, Date, Location, Server, " +
  "Transfer-Encoding, Range-Unit, Preference-Applied, sb-error-code, x-total-count, link";

export function isPreflight(request: Request): boolean {
  return request.method === "OPTIONS" && request.headers.has("access-control-request-method");
}

export function preflight(request: Request): Response {
  const headers = new Headers({
    "access-control-allow-origin": "*",
    "access-control-allow-methods": METHODS,
    "access-control-max-age": "3600",
    "vary": "Access-Control-Request-Headers",
  });
  const asked = request.headers.get("access-control-request-headers");
  if (asked) headers.set("access-control-allow-headers", asked);
  return new Response(null, { status: 200, headers });
}

/** The same response, readable by a page of any origin. */
export function allowAnyOrigin(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.set("access-control-allow-origin", "*");
  // TUS names its own headers there.
  headers.append("access-control-expose-headers", EXPOSED);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
