// save_artifact: what holds for every path there could be, tried on thousands that were made at random.
import { assert, assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";

const db = await shareDatabase();

/** The same numbers at every run, so that a failure can be seen again. */
function randomizer(seed: number) {
  return (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor(seed / 2_147_483_648 * below);
  };
}

/** What paths are made of: the harmless, the hidden and the look-alike. */
const PIECES = [
  "a",
  "B",
  "ü",
  "u\u0308",
  "日",
  "👩\u200d💻",
  ".",
  "..",
  "/",
  "//",
  "\\",
  " ",
  ":",
  "C:",
  "~",
  "-",
  "%2e",
  "\u2024",
]
  .concat(["\uff0e", "\u2025", "\uff0f", "\u2044", "\u200b", "\u202e", "\u0000a", "\n", "\u007f", "\ufeff", "\u3164"])
  .concat(["\u{e0041}", "\u00a0", "\u{1d41a}", "\ufe52"]);

const random = randomizer(20_261_122);
const paths = Array.from(
  { length: 5_000 },
  () => Array.from({ length: 1 + random(6) }, () => PIECES[random(PIECES.length)]).join(""),
).filter((path) => !path.includes("\0"));

const rows = await db.sql<{ path: string; taken: boolean }[]>`
  select p.path, private.is_artifact_path(p.path) as taken from unnest(${paths}::text[]) as p (path)`;
const taken = rows.filter((row) => row.taken).map((row) => row.path);

Deno.test("some of the paths are taken and some are not, or this would prove nothing", () => {
  assert(taken.length > 200 && taken.length < paths.length - 200, `${taken.length} of ${paths.length} are taken`);
});

Deno.test("a path that is taken stays below where it is unpacked, on any system", () => {
  const root = "/home/user/unpacked";
  for (const path of taken) {
    for (const read of [path, path.normalize("NFKC"), path.replaceAll("\\", "/")]) {
      const parts = read.split("/");
      assert(!parts.some((part) => part === "" || part === "." || part === ".."), JSON.stringify(path));
      assert(!/^[A-Za-z]:/.test(read), JSON.stringify(path));
      const { pathname } = new URL(read.split("/").map(encodeURIComponent).join("/"), `file://${root}/`);
      assert(pathname.startsWith(`${root}/`), JSON.stringify(path));
    }
  }
});

Deno.test("a path that is taken shows every character it has", () => {
  for (const path of taken) {
    assert(
      !/[\p{Cc}\p{Zl}\p{Zp}\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u3164]/u.test(path),
      JSON.stringify(path),
    );
    assert(!/[\u{e0000}-\u{e007f}]/u.test(path), JSON.stringify(path));
  }
});

Deno.test("no character that shows nothing is taken between letters of scripts that have no use for it", async () => {
  const unseen = Array.from({ length: 0x110000 }, (_, code) => code)
    .filter((code) => code < 0xd800 || code > 0xdfff).map((code) => String.fromCodePoint(code))
    .filter((character) => /\p{Default_Ignorable_Code_Point}/u.test(character));
  const between = ["a", "ж", "λ", "ש", "カ", "가"].flatMap((letter) => unseen.map((each) => letter + each + letter));
  const [row] = await db.sql<{ taken: string[] }[]>`
    select coalesce(array_agg(p.path), '{}') as taken
    from unnest(${between}::text[]) as p (path) where private.is_artifact_path(p.path)`;
  assertEquals([unseen.length > 4000, row?.taken], [true, []]);
});

Deno.test("a path that is taken is its own normal form, and fits into 1,024 bytes", () => {
  for (const path of taken) {
    assertEquals(path.normalize("NFC"), path);
    assert(new TextEncoder().encode(path).length <= 1024);
  }
});

Deno.test("plain relative paths are all taken", async () => {
  const plain = Array.from(
    { length: 500 },
    () => Array.from({ length: 1 + random(5) }, () => ["src", "a.b", "_x", "[id]", "ü", "日本"][random(6)]).join("/"),
  );
  const [row] = await db.sql`
    select count(*)::int as n from unnest(${plain}::text[]) as p (path) where not private.is_artifact_path(p.path)`;
  assertEquals(row?.n, 0);
});
