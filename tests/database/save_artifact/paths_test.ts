// save_artifact: which paths a file may have, by a table of good and bad ones.
import { assertEquals } from "@std/assert";
import { shareDatabase } from "../../support/database.ts";
import { createProject } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);
const saveAt = (file_path: string | null) => ({ project_id: project.id, file_path, content: "text" });

const good: [string, string][] = [
  ["a plain name", "a"],
  ["folders", "src/routes/index.tsx"],
  ["a hidden file", ".env.example"],
  ["a hidden folder", ".github/workflows/ci.yml"],
  ["three dots", "src/.../a"],
  ["a name that ends in dots", "a../b.."],
  ["spaces and brackets", "src/[id]/my file (1).ts"],
  ["dots and spaces in a name", "a. /b .c/... d"],
  ["other scripts", "документы/日本語/ملف.txt"],
  ["an emoji", "docs/🚀.md"],
  ["an emoji made of several with joiners", "docs/👩\u200d💻.md"],
  ["a heart as an emoji", "docs/❤\ufe0f.md"],
  ["a keycap", "docs/1\ufe0f\u20e3.md"],
  ["a copyright sign as an emoji", "docs/©\ufe0f.md"],
  ["a rainbow flag", "🏳\ufe0f\u200d🌈"],
  ["an ideograph in one of its forms", "葛\u{e0100}城.md"],
  ["a word that a joiner divides", "می\u200cخواهم.txt"],
  ["a colon further on", "notes/10:30.md"],
  ["1024 bytes", "x".repeat(1024)],
];
for (const [what, path] of good) {
  Deno.test(`${what} is a path: ${path.slice(0, 40)}`, async () => {
    assertEquals((await db.rpc(project.editor.actor, "save_artifact", saveAt(path))).artifact.file_path, path);
  });
}

const bad: [string, string | null][] = [
  ["no path", null],
  ["an empty path", ""],
  ["an absolute path", "/etc/passwd"],
  ["a trailing slash", "src/"],
  ["an empty part", "src//a"],
  ["a part of one dot", "./a"],
  ["a part of one dot inside", "src/./a"],
  ["a part of two dots", "../a"],
  ["two dots inside", "src/../../a"],
  ["two dots at the end", "src/.."],
  ["two dots alone", ".."],
  ["two dots and a space", ".. /a"],
  ["two dots between spaces inside", "src/ .. /a"],
  ["two dots and a space at the end", "src/.. "],
  ["two dots and a no-break space", "..\u00a0/a"],
  ["one dot and spaces", ".  /a"],
  ["two dots and an Ogham space", "..\u1680/a"],
  ["a backslash", "src\\a"],
  ["two dots behind a backslash", "..\\a"],
  ["a newline", "a\nb"],
  ["a tab", "a\tb"],
  ["a delete character", "a\u007fb"],
  ["a C1 control", "a\u0085b"],
  ["1025 bytes", "x".repeat(1025)],
  ["1025 bytes in few characters", "é".repeat(513)],
  ["full-width dots", "\uff0e\uff0e/a"],
  ["one-dot leaders", "src/\u2024\u2024/a"],
  ["a two-dot leader", "src/\u2025/a"],
  ["small full stops", "\ufe52\ufe52/a"],
  ["a full-width slash", "..\uff0fa"],
  ["a fraction slash", "..\u2044a"],
  ["a division slash", "..\u2215a"],
  ["a full-width backslash", "..\uff3ca"],
  ["a zero-width space that hides two dots", ".\u200b./a"],
  ["a byte order mark", "\ufeffa"],
  ["a right-to-left override", "a\u202etxt.exe"],
  ["a bidirectional isolate", "a\u2066b"],
  ["a line separator", "a\u2028b"],
  ["a drive letter", "C:/Windows/a"],
  ["a drive letter without a slash", "c:a"],
  ["a full-width drive letter", "\uff23\uff1a/a"],
  ["a big reverse solidus", "..\u29f9a"],
  ["text hidden in tags", "a\u{e0068}\u{e0069}.md"],
  ["a filler that nobody sees", "a\u3164"],
  ["a variation selector after a letter that has no forms", "a\ufe0f.md"],
  ["a variation selector that hides two dots", ".\ufe0f./a"],
  ["text hidden in variation selectors", "👍\u{e0158}\u{e0155}.md"],
  ["a joiner after a joiner", "क\u200d\u200dष"],
  ["a path of a variation selector alone", "src/\ufe0e"],
];
for (const [what, path] of bad) {
  Deno.test(`${what} is refused as validation_failed: ${JSON.stringify(path?.slice(0, 40))}`, async () => {
    const refusal = await db.refusal(project.editor.actor, "save_artifact", saveAt(path));
    assertEquals([refusal.code, refusal.sqlstate], ["validation_failed", "PT422"], refusal.message);
  });
}
