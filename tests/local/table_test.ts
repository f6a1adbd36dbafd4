// What start shows at the end fits the terminal that it is shown in.
import { assertEquals } from "@std/assert";
import { tableLines } from "../../local/table.ts";

const ROWS: Parameters<typeof tableLines>[0] = [["URL", "http://127.0.0.1:54321"], undefined, [
  "Secret",
  "sb_secret_a",
]];

Deno.test("a table has a frame where the terminal is as wide", () => {
  assertEquals(tableLines(ROWS, 35), [
    "┌────────┬────────────────────────┐",
    "│ URL    │ http://127.0.0.1:54321 │",
    "├────────┼────────────────────────┤",
    "│ Secret │ sb_secret_a            │",
    "└────────┴────────────────────────┘",
  ]);
});

Deno.test("a table has no frame that a narrower terminal would break", () => {
  assertEquals(tableLines(ROWS, 34), ["URL    http://127.0.0.1:54321", "", "Secret sb_secret_a"]);
});
