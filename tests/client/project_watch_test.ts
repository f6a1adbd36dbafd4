// project(id).watch(): what is in the project, then each part that changes.
import { assertEquals } from "@std/assert";
import type { ProjectParts, ProjectView } from "../../shared/client/mod.ts";
import { anotherProject, createWorkflow } from "../functions/project.ts";
import { addMember, worker } from "../support/actors.ts";
import { sharedClients } from "./team.ts";

async function fresh() {
  const { project, ...clients } = await sharedClients();
  return { project: await anotherProject(project), ...clients };
}

/** Steps on until that part has changed. */
async function untilChanged(watch: AsyncIterator<ProjectView>, part: keyof ProjectParts): Promise<ProjectView> {
  for (;;) {
    const { value, done } = await watch.next();
    if (done) throw new Error("The watch has ended");
    if (value.changed.includes(part)) return value;
  }
}

Deno.test("the first step is everything there is", async () => {
  const { project, owner, viewer } = await fresh();
  await owner.saveArtifact({ project_id: project.id, file_path: "a.ts", content: "let a;\n" });
  const { execution } = await owner.startWorkflow({ workflow_id: await createWorkflow(project) });
  const { file } = await owner.project(project.id).files.upload(new File(["x"], "x.txt"));
  const session = await owner.project(project.id).openChat({ title: "Plans", shared: true });
  await using watch = viewer.project(project.id).watch();
  const view = (await watch.next()).value;
  assertEquals(view?.project.id, project.id);
  assertEquals(view?.members.map(({ role }) => role).sort(), ["editor", "owner", "viewer"]);
  assertEquals(view?.artifacts.map(({ file_path, version }) => [file_path, version]), [["a.ts", 1]]);
  assertEquals(view?.executions.map(({ id }) => id), [execution.id]);
  assertEquals(view?.files.map(({ id }) => id), [file.id]);
  assertEquals(view?.sessions.map(({ id }) => id), [session.id]);
  assertEquals(view?.changed.length, 6);
});

Deno.test("each change of a part arrives with the part as it became", async () => {
  const { project, owner, viewer, stranger } = await fresh();
  await using watch = viewer.project(project.id).watch();
  await watch.next();

  await owner.project(project.id).update({ name: "Renamed" });
  assertEquals((await untilChanged(watch, "project")).project.name, "Renamed");

  await owner.saveArtifact({ project_id: project.id, file_path: "b.ts", content: "let b;\n" });
  assertEquals((await untilChanged(watch, "artifacts")).artifacts.map(({ file_path }) => file_path), ["b.ts"]);

  await owner.deleteArtifact({ project_id: project.id, file_path: "b.ts" });
  assertEquals((await untilChanged(watch, "artifacts")).artifacts, []);

  const { execution } = await owner.startWorkflow({ workflow_id: await createWorkflow(project) });
  assertEquals((await untilChanged(watch, "executions")).executions[0]?.id, execution.id);

  const { file } = await owner.project(project.id).files.upload(new File(["x"], "x.txt"));
  assertEquals((await untilChanged(watch, "files")).files[0]?.id, file.id);

  const session = await owner.project(project.id).openChat({ shared: true });
  assertEquals((await untilChanged(watch, "sessions")).sessions[0]?.id, session.id);

  await addMember(project.owner, project.id, project.stranger, "viewer");
  assertEquals((await untilChanged(watch, "members")).members.length, 4);
  assertEquals(stranger.supabase, project.stranger.client);
});

Deno.test("a watch of chosen parts reads nothing else", async () => {
  const { project, owner, viewer } = await fresh();
  await owner.saveArtifact({ project_id: project.id, file_path: "a.ts", content: "let a;\n" });
  await using watch = viewer.project(project.id).watch({ parts: ["artifacts"] });
  const view = (await watch.next()).value;
  assertEquals([view?.changed, view?.artifacts.length, view?.members], [["project", "artifacts"], 1, []]);
});

Deno.test("whoever is removed from the project loses the watch", async () => {
  const { project, editor } = await fresh();
  const watch = editor.project(project.id).watch();
  await watch.next();
  await worker().from("project_collaborators").delete().eq("project_id", project.id).eq("user_id", project.editor.id);
  const thrown = await watch.next().catch((error) => error);
  assertEquals(thrown.code, "project_not_found");
});

Deno.test("files are listed, linked and downloaded by members, and not by strangers", async () => {
  const { project, editor, viewer, stranger } = await fresh();
  const { file } = await editor.project(project.id).files.upload(new File(["hello"], "a.txt"), { path: "docs/a.txt" });
  const files = viewer.project(project.id).files;
  assertEquals((await files.list()).map(({ id }) => id), [file.id]);
  assertEquals(await (await files.download(file)).text(), "hello");
  assertEquals(await (await fetch(await files.url(file))).text(), "hello");
  const thrown = await stranger.project(project.id).files.download(file).catch((error) => error);
  assertEquals(thrown.code, "file_not_found");
  await editor.project(project.id).files.remove(file);
  assertEquals(await files.list(), []);
});

Deno.test("a file is read by its path, however its letters are composed", async () => {
  const { project, editor } = await fresh();
  const decomposed = "me\u0301dia/a.md";
  await editor.saveArtifact({ project_id: project.id, file_path: decomposed, content: "here" });
  assertEquals((await editor.project(project.id).readArtifact(decomposed)).content, "here");
});

Deno.test("the artifacts of a watch are those that were saved last, by path", async () => {
  const { project, owner, viewer } = await fresh();
  const save = (file_path: string) => owner.saveArtifact({ project_id: project.id, file_path, content: "x" });
  for (const path of ["a.txt", "c.txt", "b.txt"]) await save(path);
  await using watch = viewer.project(project.id).watch({ parts: ["artifacts"], limit: 2 });
  const paths = ({ artifacts }: ProjectView) => artifacts.map(({ file_path }) => file_path);
  assertEquals(paths((await watch.next()).value as ProjectView), ["b.txt", "c.txt"]);
  await save("d.txt");
  assertEquals(paths(await untilChanged(watch, "artifacts")), ["b.txt", "d.txt"]);
});
