// The functions' log, which more people read than may use what stands in an address or a header.
import { assertEquals } from "@std/assert";
import { log } from "../../supabase/functions/_shared/log.ts";

/** The line that is written for a cause. */
function lineOf(cause: string): string {
  const written: string[] = [];
  const { error } = console;
  console.error = (line: string) => void written.push(line);
  try {
    log("error", "internal", { cause });
  } finally {
    console.error = error;
  }
  return JSON.parse(written.join("")).cause;
}

const token = "0123456789abcdef".repeat(4);
const jwt = `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.${token}`;

// As Deno 2.1, which the platform has, says that a request failed: with the whole address.
const CAUSES: [string, string, string][] = [
  [
    "the token of an invitation that Auth was to carry",
    `error sending request for url (https://x.supabase.co/auth/v1/invite?redirect_to=https%3A%2F%2Fa.example%2Fi%3Ftoken%3D${token}): broken`,
    "error sending request for url (https://x.supabase.co/auth/v1/invite?redirect_to=https%3A%2F%2Fa.example%2Fi%3Ftoken%3D…): broken",
  ],
  [
    "the token of a link to an object",
    `error sending request for url (http://kong:8000/storage/v1/object/sign/b/p?token=${jwt})`,
    "error sending request for url (http://kong:8000/storage/v1/object/sign/b/p?token=…)",
  ],
  ["a person's token", `{"authorization":"Bearer ${jwt}"}`, '{"authorization":"Bearer …"}'],
  ["a secret key", "no such key: sb_secret_abc-DEF_1", "no such key: …"],
];

for (const [claim, cause, written] of CAUSES) {
  Deno.test(`log: ${claim} is left out of what is written`, () => {
    assertEquals(lineOf(cause), written);
  });
}
