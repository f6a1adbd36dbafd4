// Request lines as no client library would write them: a library tidies `..`, spaces and bytes up before it sends them.

const ID = "00000000-0000-4000-8000-000000000000";

/** Below the function's own path. */
const TRICKS = [
  "/..",
  "/../..",
  "/./health/../",
  "/%2e%2e/%2e%2e/etc/passwd",
  "/..%2f..%2fetc%2fpasswd",
  "/..;/health/..",
  "/..\\..\\etc\\passwd",
  "/%c0%ae%c0%ae/",
  "/․․/",
  "/．．/",
  "/%00",
  "/%0d%0ax-injected:%201",
  "/%zz",
  "/%",
  "/%ff%fe",
  "/%ed%a0%80",
  "//",
  "///evil.example/",
  "/?/",
  "/?%00=%00&__proto__[a]=1",
  "/#fragment",
  "/;jsessionid=1",
  "/*",
  "/:file_id",
  `/${ID}/..`,
  `/${ID}%00`,
  `/${ID}%2f..`,
  `/share/${ID}%20`,
  "/shared/%2e%2e",
  "/shared/" + "x".repeat(7000),
  "/shared/%f0%28%8c%28",
  `/executions/${ID}%2fevents`,
  `/executions/%2e%2e%2f${ID}/events`,
  "/constructor",
  "/__proto__",
  "/hasOwnProperty/events",
];

type Check = (status: number, headers: Headers, text: string, mustFail: boolean) => void;

/** Writes one request and reads the whole answer. */
async function exchange({ hostname, port }: URL, head: string): Promise<[number, Headers, string]> {
  using connection = await Deno.connect({ hostname, port: Number(port) });
  await connection.write(new TextEncoder().encode(head));
  const answer = await new Response(connection.readable).text();
  const [top = "", ...rest] = answer.split("\r\n\r\n");
  const [first = "", ...lines] = top.split("\r\n");
  const headers = new Headers(lines.map((line) => line.split(/:\s*/, 2) as [string, string]));
  return [Number(first.split(" ")[1]), headers, rest.join("\r\n\r\n")];
}

/** Sends every trick with every method, and hands what came back to `check`; what HTTP itself refuses has no envelope. */
export async function rawPaths(
  url: URL,
  slug: string,
  credentials: Record<string, string>,
  check: Check,
): Promise<void> {
  const fields = Object.entries(credentials).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  for (const trick of TRICKS) {
    for (const method of ["GET", "POST", "DELETE"]) {
      const head = `${method} /${slug}${trick} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${fields}` +
        "content-type: application/json\r\ncontent-length: 2\r\n\r\n{}";
      const [status, headers, text] = await exchange(url, head);
      try {
        if (headers.has("x-request-id")) check(status, headers, text, false);
        else if (!(status >= 400 && status < 500)) throw new Error(`${status} ${text}`);
      } catch (cause) {
        throw new Error(`${(cause as Error).message}\n  in answer to ${method} /${slug}${trick.slice(0, 100)}`, {
          cause,
        });
      }
    }
  }
}
