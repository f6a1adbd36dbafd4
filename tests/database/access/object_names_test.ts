// access: what an object in the bucket may not be called, whoever puts it there.
import { assertEquals } from "@std/assert";
import { refused, shareDatabase } from "../../support/database.ts";
import { createProject, storeObject } from "../../support/factories.ts";

const db = await shareDatabase();
const project = await createProject(db);
const other = await createProject(db);

const names = { "leads to another project": `../${other.id}/a.txt`, "leads nowhere": "./a.txt", "ends above": "b/.." };
for (const [what, name] of Object.entries(names)) {
  Deno.test(`no object is put under a name that ${what}, by an editor or with the secret key`, async () => {
    for (const owner of [project.editor, undefined]) {
      assertEquals((await refused(storeObject(db, `${project.id}/${name}`, 5, owner))).sqlstate, "42501");
    }
  });
}

Deno.test("an editor does not move an object of theirs to a name that leads to another project", async () => {
  const from = `${project.id}/own.txt`;
  await storeObject(db, from, 5, project.editor);
  const to = `${project.id}/../${other.id}/a.txt`;
  const move = db.as(
    project.editor.actor,
    (tx) => tx`update storage.objects set name = ${to} where name = ${from}`,
  );
  assertEquals((await refused(move)).sqlstate, "42501");
});

Deno.test("dots in a name that are not all of a part are taken", async () => {
  for (const name of ["a..b", "...", ".hidden", "b./c", "..d"]) {
    await storeObject(db, `${project.id}/${name}`, 5, project.editor);
  }
});
