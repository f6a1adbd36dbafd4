// What a person can act on is one sentence, whoever noticed it and in whatever words.
import { assert, assertMatch } from "@std/assert";
import { explainFullDisk, explainPlace, messageOf, UserError } from "../../local/user_error.ts";

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

for (const place of ["/proc/nowhere", `/tmp/${"x".repeat(300)}`, "/dev/null/state"]) {
  Deno.test(`a place that cannot be made is one sentence: ${place.slice(0, 20)}`, async () => {
    const thrown = await Deno.mkdir(place, { recursive: true }).catch((error) => error);
    assertMatch(
      messageOf(explainPlace(thrown, place)),
      /^Cannot (make|keep state in) \/\S+: .*choose another place with --dir\.$/,
    );
  });
}
