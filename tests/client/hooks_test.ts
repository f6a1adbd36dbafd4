// The hooks in real Chromium: what one browser does the other one shows, and what is refused is taken back.
import { assert, assertEquals } from "@std/assert";
import type { Page } from "playwright-core";
import { anotherProject, createWorkflow } from "../functions/project.ts";
import { eventually } from "../support/eventually.ts";
import { graph } from "../support/factories.ts";
import { testInBrowser } from "./browser.ts";
import { readLog } from "./log.ts";
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

testInBrowser("whoever keeps no events of a run is shown none", async ({ open }) => {
  const { project, shown, worker } = await arrange();
  const page = await open(project.viewer, "Vera", { ...shown, keep: "0" });
  await see(page, "#run-status", "running");
  const { tasks: [task] } = await worker.claimTasks({
    worker_id: "w",
    agent_types: ["architect"],
    execution_id: shown.execution,
  });
  await see(page, "#tasks li", "plan running");
  assertEquals([task?.node_id, await page.locator("#events li").count()], ["plan", 0]);
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

testInBrowser("a message on its way becomes the stored one: the same element, never two of it", async ({ open }) => {
  const { project, shown } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  await see(page, "h2", "Plans");
  // Every element that the list has ever had is counted, and the first answer is lost.
  await page.evaluate(`
    globalThis.added = [];
    new MutationObserver((records) => {
      for (const { addedNodes } of records) for (const { className } of addedNodes) added.push(className);
    }).observe(document.querySelector("#messages"), { childList: true });
  `);
  let isLost = false;
  await page.route("**/rest/v1/chat_messages*", async (route) => {
    if (route.request().method() !== "POST" || isLost) return route.continue();
    isLost = true;
    await route.fetch();
    await route.abort("connectionreset");
  });
  await page.fill("#message", "Once");
  await page.click("#send");
  await see(page, "#messages li.sent", "Once");
  await page.waitForTimeout(1000);
  assertEquals([isLost, await page.evaluate("added")], [true, ["pending"]]);
  assertEquals(await page.locator("#messages li").count(), 1);
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

testInBrowser("a message that is refused is taken back, and the refusal is shown", async ({ open }) => {
  const { project, shown, owner } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  await see(page, "h2", "Plans");
  await owner.chat(shown.chat).update({ status: "archived" });
  await page.fill("#message", "Too late");
  await page.click("#send");
  await see(page, "#chat-error", "forbidden");
  assertEquals(await page.locator("#messages li").count(), 0);
});

testInBrowser("who is on one topic is never shown on the next one", async ({ open }) => {
  const { project, shown } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  await see(page, "#people li", "Vera");
  await page.click("#elsewhere");
  await page.locator(`#here[data-topic="execution:${shown.execution}"]`).waitFor();
  await see(page, "#people li", "Vera");
  assertEquals(await page.getAttribute("#here", "data-first"), "0");
});

testInBrowser("a topic whose id is not known yet is not asked for", async ({ open }) => {
  const { project, shown } = await arrange();
  const page = await open(project.viewer, "Vera", { ...shown, execution: "" });
  await see(page, "#people li", "Vera");
  await page.click("#elsewhere");
  await page.locator('#here[data-topic="execution:"]').waitFor();
  await page.fill("#message", "A while later");
  await page.click("#send");
  await see(page, "#messages li.sent", "A while later");
  const topics = await page.evaluate("supabase.getChannels().map(({ topic }) => topic)") as string[];
  assertEquals(topics.filter((topic) => topic.endsWith(":execution:")), []);
  assertEquals([await page.locator("#people li").count(), await page.locator("#here .error").textContent()], [0, ""]);
});

testInBrowser("who is removed from a project is shown nothing of it any more", async ({ open }) => {
  const { project, shown, worker } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  await see(page, "#project-name", "A project");
  await worker.supabase.from("project_collaborators").delete()
    .eq("project_id", project.id).eq("user_id", project.viewer.id);
  await see(page, "#project-error", "project_not_found");
  assertEquals(await page.textContent("#project-name"), "…");
});

testInBrowser("who is removed from a chat's project is not shown their own messages either", async ({ open }) => {
  const { project, shown, worker } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  await see(page, "h2", "Plans");
  await page.fill("#message", "Mine");
  await page.click("#send");
  await see(page, "#messages li.sent", "Mine");
  await worker.supabase.from("project_collaborators").delete()
    .eq("project_id", project.id).eq("user_id", project.viewer.id);
  await see(page, "#chat-error", "session_not_found");
  assertEquals(await page.locator("#messages li").count(), 0);
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

testInBrowser(
  "what is saved as the answer to a conflict has the fields that were changed with the text, and keeps the other's",
  async ({ open }) => {
    const { project, shown, editor } = await arrange();
    const file = { project_id: project.id, file_path: "plan.md" };
    await editor.saveArtifact({ ...file, content: "first" });
    const page = await open(project.owner, "Olga", shown);
    await page.click("#files button");
    await page.fill("#text", "mine");
    await editor.saveArtifact({ ...file, content: "theirs", type: "component" });
    // The page calls its language, type and metadata what it always does: the type as it was before.
    await page.click("#save");
    await page.click(".mine");
    await see(page, "#files li.sent", "version 3");
    const { language, type, metadata } = await editor.project(project.id).readArtifact("plan.md");
    assertEquals({ language, type, metadata }, { language: "markdown", type: "component", metadata: { by: "page" } });
  },
);

testInBrowser("a browser that loses its network for a while misses nothing", async ({ open }) => {
  const { project, shown, owner, worker } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  await see(page, "#tasks li", "plan pending");
  const before = await readLog(owner, shown.execution);
  await page.context().setOffline(true);
  await owner.chat(shown.chat).send({ content: "Are you there?" });
  const stopping = new AbortController();
  const working = worker.runWorker({
    agentTypes: ["architect"],
    executionId: shown.execution,
    signal: stopping.signal,
    handle: () => ({ output: {} }),
  });
  await owner.execution(shown.execution).finished();
  stopping.abort();
  await working;
  assertEquals(await page.textContent("#run-status"), "running");
  await page.context().setOffline(false);
  await see(page, "#run-status", "completed");
  await see(page, "#messages li", "Are you there?");

  await page.click("summary");
  await see(page, "#events li", "execution.completed");
  const log = (await readLog(owner, shown.execution)).map(({ id, type }) => `${id} ${type}`);
  const seen = await page.locator("#events li").allTextContents();
  assertEquals(seen, log.slice(log.length - seen.length));
  assert(seen.length >= log.length - before.length, `Only ${seen.length} of ${log.length} events arrived`);
});

testInBrowser("two browsers see each other come, and go", async ({ open }) => {
  const { project, shown } = await arrange();
  const one = await open(project.owner, "Olga", shown);
  const other = await open(project.viewer, "Vera", shown);
  await see(one, "#people li", "Vera");
  await see(other, "#people li", "Olga");
  assertEquals(await one.locator("#people li").allTextContents(), ["Olga", "Vera"]);
  await other.close();
  await one.locator("#people li").filter({ hasText: "Vera" }).waitFor({ state: "detached" });
});

testInBrowser("the changes of a table arrive at useRealtimeSubscription", async ({ open }) => {
  const { project, shown, editor } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  await see(page, "h2 .live", "live");
  await page.waitForFunction("document.querySelectorAll('.waiting').length === 0");
  const save = async () => {
    await editor.saveArtifact({ project_id: project.id, file_path: "a.md", content: crypto.randomUUID() });
  };
  // Changes flow a moment after the join: the first saves may be before it.
  const changes = async () => {
    await save();
    return Number(await page.textContent("#changes"));
  };
  assert(await eventually(changes, (count) => count > 0) > 0);
});

const signInOn = (page: Page) => ({ email }: { email: string }) =>
  page.evaluate(`supabase.auth.signInWithPassword({ email: "${email}", password: "correct-horse-battery-staple" })`);

testInBrowser("what somebody is sending is not shown to who signs in next", async ({ open }) => {
  const { project, shown } = await arrange();
  const page = await open(project.owner, "Olga", shown);
  await see(page, "h2", "Plans");
  await page.route(
    "**/rest/v1/chat_messages*",
    (route) => route.request().method() === "POST" ? route.abort("connectionreset") : route.continue(),
  );
  await page.fill("#message", "For us alone");
  await page.click("#send");
  await see(page, "#messages li.pending", "For us alone");
  await signInOn(page)(project.stranger);
  await see(page, "#project-error", "project_not_found");
  assertEquals(await page.locator("#messages li").allTextContents(), []);
});

testInBrowser(
  "a conflict that was left is there again when the same person comes back, whatever others saved",
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
    await page.evaluate(`supabase.auth.signOut({ scope: "local" })`);
    await page.locator(".conflict").waitFor({ state: "detached" });
    await signInOn(page)(project.editor);
    await see(page, "#files li", "version 2");
    await page.click("#files button");
    // The editor is still open with what Olga wrote until the newer text has come.
    await page.waitForFunction("document.querySelector('#text').value === 'theirs'");
    await page.fill("#text", "theirs again");
    await page.click("#save");
    await see(page, "#files li", "version 3");
    await signInOn(page)(project.owner);
    await see(page, ".conflict", "plan.md is at version 2; yours was made from 1.");
  },
);

testInBrowser(
  "whoever signs in next on a page is shown what they may see, and nobody else's refusal",
  async ({ open }) => {
    const { project, shown, owner } = await arrange();
    const page = await open(project.viewer, "Vera", shown);
    await see(page, "h2", "Plans");
    // Quiet until then: as in any app, what is asked without a session or right is refused.
    const signIn = signInOn(page);
    await page.fill("#new-name", "Not hers");
    await page.click("#rename");
    await see(page, "#project-error", "forbidden");
    await signIn(project.stranger);
    await see(page, "#project-error", "project_not_found");
    await signIn(project.editor);
    await see(page, "h2", "Plans");
    await owner.chat(shown.chat).send({ content: "Welcome" });
    await see(page, "#messages li", "Welcome");
    assertEquals(await page.locator("#project-error").textContent(), "");
  },
);

testInBrowser("in StrictMode each channel is joined once, and left after the unmount", async ({ open }) => {
  const { project, shown } = await arrange();
  const page = await open(project.viewer, "Vera", shown);
  const joined: string[] = [];
  page.on("websocket", (socket) =>
    socket.on("framesent", ({ payload }) => {
      const [, , topic, event] = typeof payload === "string" ? JSON.parse(payload) : [];
      if (event === "phx_join") joined.push(topic);
    }));
  await page.reload();
  await page.waitForFunction("document.querySelectorAll('.waiting').length === 0 && document.querySelector('.live')");
  assertEquals(joined.sort(), [
    `realtime:changes:public:code_artifacts:INSERT:project_id=eq.${project.id}`,
    `realtime:chat:${shown.chat}`,
    `realtime:execution:${shown.execution}`,
    `realtime:project:${project.id}`,
  ]);
  await page.click("#toggle");
  await page.waitForFunction("supabase.getChannels().length === 0");
});
