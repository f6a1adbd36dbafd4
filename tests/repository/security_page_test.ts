// docs/security.md against the code: what it lists is there, and what is there it lists.
import { assert, assertEquals } from "@std/assert";
import type { Operation } from "../../shared/contract/operation.ts";
import { FUNCTIONS } from "../support/functions.ts";

const ROOT = new URL("../../", import.meta.url);
const page = await Deno.readTextFile(new URL("docs/security.md", ROOT));

/** The text below a heading of the third level. */
function section(heading: string): string {
  const text = page.split(`\n### ${heading}\n`)[1]?.split(/\n##+ /)[0];
  assert(text, `docs/security.md has no "${heading}"`);
  return text;
}

Deno.test("docs/security.md names every route that takes no credential, and no other", async () => {
  const open: string[] = [];
  for (const slug of FUNCTIONS) {
    const { operations }: { operations: Operation[] } = await import(`../../shared/contract/${slug}.ts`);
    for (const { callers, method, path } of operations) {
      if (callers.length === 0) open.push(`${method} /${slug}${path}`);
    }
  }
  const named = [...section("Public routes").matchAll(/`([A-Z]+ \/[^`]+)`/g)].map(([, route]) => route);
  assertEquals(named.toSorted(), ["GET /health", "GET /openapi.json", ...open].toSorted());
});

/** What makes a request, a client or a signature with the secret key. */
const USES = /\bserviceClient\(|\bcallDoorAsService\(|\bsupabaseAdmin\b|\benv\.secretKey\b/;

Deno.test("docs/security.md names every file of the functions that uses the secret key, and no other", async () => {
  const using: string[] = [];
  for (const folder of ["_shared", ...FUNCTIONS]) {
    for await (const { name } of Deno.readDir(new URL(`supabase/functions/${folder}/`, ROOT))) {
      const text = await Deno.readTextFile(new URL(`supabase/functions/${folder}/${name}`, ROOT));
      if (USES.test(text)) using.push(`${folder}/${name}`);
    }
  }
  const named = [...section("The secret key in functions").matchAll(/`([\w/-]+\.ts)`/g)].map(([, file]) => file);
  assertEquals(named.toSorted(), using.toSorted());
});
