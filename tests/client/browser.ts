// A real Chromium for the tests of the hooks, and the page it opens. Debian's `chromium` is looked for on the PATH, another
// one can be named in CHROMIUM; without any, the tests say so and are skipped.
import { type Browser, chromium, type Page } from "playwright-core";
import type { Person } from "../support/actors.ts";
import { stack } from "../support/stack.ts";
import { bundle } from "./bundle.ts";

const NAMES = [Deno.env.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"];

function findChromium(): string | undefined {
  for (const name of NAMES) {
    for (const folder of name?.startsWith("/") ? [""] : Deno.env.get("PATH")?.split(":") ?? []) {
      const path = folder ? `${folder}/${name}` : name;
      try {
        if (path && Deno.statSync(path).isFile) return path;
      } catch {
        // Not there.
      }
    }
  }
}

const executablePath = findChromium();
if (!executablePath) {
  console.log("There is no Chromium here (apt-get install chromium): tests of the hooks are skipped.");
}

/** What a page shows, by id. */
export interface Shown {
  project: string;
  execution?: string;
  chat?: string;
  /** How many of the run's events. */
  keep?: string;
}

export interface Browsers {
  /** Opens the page as that person, in a window that shares nothing with the others. */
  open(person: Person, name: string, shown: Shown): Promise<Page>;
}

async function serve(): Promise<{ url: string; close(): Promise<void> }> {
  const script = await bundle("./programs/page.tsx", "browser");
  const html = await Deno.readTextFile(new URL("./programs/page.html", import.meta.url));
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/page.js") return new Response(script, { headers: { "content-type": "text/javascript" } });
    if (pathname === "/") return new Response(html, { headers: { "content-type": "text/html" } });
    return new Response(null, { status: 404 });
  });
  return { url: `http://127.0.0.1:${server.addr.port}/`, close: () => server.shutdown() };
}

/** Registers a test in Chromium. A page that throws, or writes an error to its console, fails it. */
export function testInBrowser(name: string, run: (browsers: Browsers) => Promise<void>): void {
  Deno.test({
    name,
    ignore: !executablePath,
    async fn() {
      const page = await serve();
      const browser: Browser = await chromium.launch({ executablePath: executablePath ?? "", args: ["--no-sandbox"] });
      const faults: string[] = [];
      try {
        await run({
          async open(person, name, shown) {
            const context = await browser.newContext();
            // Long, as a busy machine is no failure.
            context.setDefaultTimeout(60_000);
            const opened = await context.newPage();
            opened.on("pageerror", (error) => faults.push(String(error.stack ?? error)));
            opened.on("console", (message) => {
              // What the network says is part of some tests: React's warnings and our own mistakes are not.
              if (message.type() === "error" && !/Failed to load resource|WebSocket/.test(message.text())) {
                faults.push(message.text());
              }
            });
            const given = {
              url: stack.url,
              key: stack.publishableKey,
              email: person.email,
              password: "correct-horse-battery-staple",
              name,
              ...shown,
            };
            await opened.goto(`${page.url}#${new URLSearchParams({ ...given })}`);
            return opened;
          },
        });
        if (faults.length > 0) throw new Error(`The page said: ${faults.join("\n")}`);
      } finally {
        await browser.close();
        await page.close();
      }
    },
  });
}
