// The hooks in real Chromium: what one browser does the other one shows, and what is refused is taken back.
import { assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { anotherProject, createWorkflow } from "../functions/project.ts";
import { graph } from "../support/factories.ts";
import { testInBrowser } from "./browser.ts";
import { createClients } from "./team.ts";

/** A project of new people with a chat and a run that waits for its first task. */
async function arrange() {
  const { project: team, ...clients } = await createClients();
  const project = await anotherProject(team);
  const session = await clients.owner.project(project.id).openChat({ title: "Plans", shared: true });
  const workflow_id = await createWorkflow(project, graph([["plan", "build"], ["build", "test"]]));
  const { execution } = await clients.owner.startWorkflow({ workflow_id });
  return { ...clients, project, shown: { project: project.id, execution: execution.id, chat: session.id } };
}

const see = (page: Page, selector: string, text: string | RegExp) =>
  page.locator(selector).filter({ hasText: text }).first().waitFor();

testInBrowser("a page shows a run progress from its start to its end", async ({ open }) => {
  const { project, shown, worker } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  await see(page, "#run-status", "running");
  await see(page, "#tasks li", "plan pending");
  const stopping = new AbortController();
  const working = worker.runWorker({
    agentTypes: ["architect"],
    executionId: shown.execution,
    signal: stopping.signal,
    handle: () => ({ output: {} }),
  });
  await see(page, "#run-status", "completed");
  stopping.abort();
  await working;
  const tasks = await page.locator("#tasks li").allTextContents();
  assertEquals(tasks, ["plan completed", "build completed", "test completed"]);
});

testInBrowser("a message is shown at once to its writer and soon to the others, once to each", async ({ open }) => {
  const { project, shown } = await arrange();
  const [one, other] = [await open(project.owner, "Olga", shown), await open(project.viewer, "Vera", shown)];
  await see(one, "h2", "Plans");
  await one.fill("#message", "Shall we begin?");
  await one.click("#send");
  await see(one, "#messages li", "Shall we begin?");
  await see(other, "#messages li.sent", "Shall we begin?");
  await other.fill("#message", "Yes");
  await other.click("#send");
  await see(one, "#messages li.sent", "Yes");
  for (const page of [one, other]) {
    assertEquals(await page.locator("#messages li").allTextContents(), ["Shall we begin?", "Yes"]);
  }
});

testInBrowser("a change that is refused is taken back, and the refusal is shown", async ({ open }) => {
  const { project, shown } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  await see(page, "#project-name", "A project");
  await page.fill("#new-name", "Mine");
  await page.click("#rename");
  await see(page, "#project-error", "forbidden");
  assertEquals(await page.textContent("#project-name"), "A project");
});

testInBrowser("a change that is accepted is shown at once, and to the others", async ({ open }) => {
  const { project, shown } = await arrange();
  const [one, other] = [await open(project.owner, "Olga", shown), await open(project.viewer, "Vera", shown)];
  await see(other, "#project-name", "A project");
  await see(one, "#project-name", "A project");
  await one.fill("#new-name", "Renamed");
  await one.click("#rename");
  await see(one, "#project-name", "Renamed");
  await see(other, "#project-name", "Renamed");
  assertEquals(await one.textContent("#project-error"), "");
});

testInBrowser(
  "who saves a file that somebody else has changed sees the conflict and can resolve it",
  async ({ open }) => {
    const { project, shown, editor } = await arrange();
    const file = { project_id: project.id, file_path: "plan.md" };
    await editor.saveArtifact({ ...file, content: "first" });
    const page = await open(project.owner, "Olga", shown);
    await page.click("#files button");
    await page.fill("#text", "mine");
    await editor.saveArtifact({ ...file, content: "theirs" });
    await page.click("#save");
    await see(page, ".conflict", "plan.md is at version 2; yours was made from 1.");
    assertEquals(await page.textContent(".theirs"), "theirs");
    await page.click(".mine");
    await page.locator(".conflict").waitFor({ state: "detached" });
    await see(page, "#files li.sent", "version 3");
    assertEquals((await editor.project(project.id).readArtifact("plan.md")).content, "mine");
  },
);
