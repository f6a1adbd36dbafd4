// What start and the demo tell a person to type is what they can type.
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { DEFAULT_DIRECTORY, REPOSITORY } from "../../local/stack.ts";
import { placeOf, taskLine } from "../../local/task_line.ts";

const usual = join(REPOSITORY, DEFAULT_DIRECTORY);

Deno.test("a stack at the usual place needs no flags", () => {
  assertEquals(taskLine("start", { directory: usual, port: 54321 }, false), "deno task start");
  assertEquals(taskLine("stop", {}, false), "deno task stop");
});

Deno.test("whoever came by npx is told the command that npx gives them", () => {
  assertEquals(taskLine("stop", { directory: usual }, true), `npx -y deno@${Deno.version.deno} task stop`);
});

Deno.test("a stack at another place is stopped with its directory, in quotes where a shell needs them", () => {
  assertEquals(taskLine("stop", { directory: join(REPOSITORY, "état") }, false), "deno task stop --dir état");
  assertEquals(
    taskLine("stop", { directory: "/mine/Ada's state" }, false),
    `deno task stop --dir '/mine/Ada'\\''s state'`,
  );
});

Deno.test("a port of its own is part of what starts the stack again", () => {
  assertEquals(
    taskLine("start", { directory: "/mine", port: 55000 }, false),
    "deno task start --dir /mine --port 55000",
  );
});

Deno.test("a place in the repository is told from there, any other as it is", () => {
  assertEquals([placeOf(usual), placeOf("/mine/state")], [DEFAULT_DIRECTORY, "/mine/state"]);
});
