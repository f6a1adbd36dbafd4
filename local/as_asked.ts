// What an answer says of its request, which lite says of the request in its own words.

/** Which preferences count: how a transaction ends is not for clients of the platform to say. */
export function preferred(prefer: string): string {
  const kept = prefer.split(",").filter((preference) => !/^\s*tx=/.test(preference)).join(",");
  // PostgREST counts up to `max_rows` exactly; a table that has more can be counted here, too.
  return kept.replace("count=estimated", "count=exact");
}

/** Where the rows of an update lie: PostgREST names the first and the last, also where they are not shown. */
function ofUpdate(range: string): string {
  const total = Number(/^\*\/(\d+)$/.exec(range)?.[1] ?? 0);
  return total === 0 ? range : `0-${total - 1}/${total}`;
}

/** The parameters in the order of their names. */
function canonical({ pathname, searchParams }: URL): string {
  const sorted = searchParams.entries().toArray().toSorted(([a], [b]) => a < b ? -1 : a > b ? 1 : 0);
  const query = sorted.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");
  return pathname.replace("/rest/v1", "") + (query === "" ? "" : `?${query}`);
}

/** The answer to this request. */
export function asAsked(request: Request, response: Response): Response {
  const { headers, status, body } = response;
  const location = headers.has("content-location") ? canonical(new URL(request.url)) : null;
  const range = request.method === "PATCH" ? headers.get("content-range") : null;
  if (location === null && range === null) return response;
  const copy = new Headers(headers);
  if (location !== null) copy.set("content-location", location);
  if (range !== null) copy.set("content-range", ofUpdate(range));
  return new Response(body, { status, headers: copy });
}
