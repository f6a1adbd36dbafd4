// What a person can act on is one sentence, whoever noticed it and in whatever words.
import { assert, assertMatch } from "@std/assert";
import { explainFullDisk, messageOf, UserError } from "../../local/user_error.ts";

for (
  const said of [
    'could not extend file "base/5/16397": No space left on device',
    'could not extend file "base/5/16397": wrote only 4096 of 8192 bytes at block 12',
    "No space left on device (os error 28)",
  ]
) {
  Deno.test(`a full disk is one sentence: ${said}`, () => {
    const explained = explainFullDisk(new Error(said), "/somewhere");
    assert(explained instanceof UserError);
    assertMatch(messageOf(explained), /^The disk that holds \/somewhere is full: .*\.$/);
  });
}
