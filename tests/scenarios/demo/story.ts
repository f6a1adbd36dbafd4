// The story, from three sign-ups to a completed execution.
import { loadFixture } from "./fixture.ts";
import { readMailbox } from "./mailbox.ts";
import { type Outcome, readBack } from "./outcome.ts";
import { type Person, signUp } from "./people.ts";
import { createProject, importWorkflow, openChat, startTwice } from "./project.ts";
import { accept, invite, lookAsStranger, type StoredImage, uploadImage } from "./sharing.ts";
import type { StackAccess } from "./stack.ts";
import { type Step, stepper } from "./step.ts";
import type { View } from "./view.ts";
import { watchExecution } from "./watch.ts";
import { startWorkers } from "./workers.ts";

export interface Told {
  outcome: Outcome;
  owner: Person;
  projectName: string;
}

interface People {
  owner: Person;
  guest: Person;
  stranger: Person;
}

/** Tells the whole story on a stack. Throws StepFailure at the first step that does not hold. */
export async function tellStory(stack: StackAccess, view: View, interrupted: AbortSignal): Promise<Told> {
  // Two things go on at once later: where one of them fails, the other ends too.
  const over = new AbortController();
  const signal = AbortSignal.any([interrupted, over.signal]);
  const step = stepper(view, signal);
  const fixture = await loadFixture();

  const people = await step(
    "Sign up three people",
    () => signUpAll(stack),
    (people) => Object.entries(people).map(([part, { name }]) => `${name} (${part})`).join(", "),
  );
  const { owner, guest, stranger } = people;
  const project = await step("Create a project", () => createProject(owner), ({ name }) => name);
  const sessionId = await step("Write in the chat", () => openChat(owner, project.id), () => "shared with the project");
  const workflowId = await step(
    "Import the workflow",
    () => importWorkflow(owner, project.id, fixture),
    () => `LangGraph export, ${fixture.nodes.length} nodes, ${fixture.edges} edges`,
  );
  const { executionId } = await step("Start it", async () => {
    const started = await startTwice(owner, workflowId, sessionId);
    if (started.tasks === fixture.nodes.length) return started;
    throw new Error(`${fixture.nodes.length} nodes became ${started.tasks} tasks.`);
  }, ({ tasks }) => `${tasks} tasks; asked twice with one key, started once`);

  const workers = startWorkers(stack, fixture.agentTypes, executionId);
  try {
    const work = step(
      "Let the agents work",
      () =>
        Promise.race([watchExecution(owner.client, executionId, (rows) => view.tasks(rows), signal), workers.failed]),
      () => `five processes: ${fixture.agentTypes.join(", ")}`,
    );
    const [{ image, hasGuest }] = await Promise.all([meanwhile(stack, view, step, people, project.id), work]);

    await step(
      "Look as a stranger",
      () => lookAsStranger(stranger, project.id, workflowId, image),
      (places) => `${stranger.name} sees nothing in ${places} places`,
    );
    const reader = hasGuest ? guest : owner;
    const expected = { tasks: fixture.nodes.length, files: 1, collaborators: hasGuest ? 1 : 0 };
    const outcome = await step(
      "Read it back",
      () => readBack(reader.client, project.id, executionId, expected),
      ({ artifacts }) => `${reader.name} sees the execution completed, with ${artifacts} artifacts`,
    );
    return { outcome, owner, projectName: project.name };
  } finally {
    over.abort();
    await workers.stop();
  }
}

async function signUpAll(stack: StackAccess): Promise<People> {
  const [owner, guest, stranger] = await Promise.all([
    signUp(stack, "Ada"),
    signUp(stack, "Grace"),
    signUp(stack, "Mallory"),
  ]);
  return { owner, guest, stranger };
}

/** What people do while the agents work. */
async function meanwhile(
  { url }: StackAccess,
  view: View,
  step: Step,
  { owner, guest }: People,
  projectId: string,
): Promise<{ image: StoredImage; hasGuest: boolean }> {
  const image = await step(
    "Upload an image",
    () => uploadImage(owner, projectId),
    ({ bytes }) => `a PNG of ${bytes} bytes, the same when its signed URL gave it back`,
  );
  // Where nobody can read the guest's mail, none is sent: it would go to an address that nobody has.
  if (!await readMailbox(url)) {
    view.skipped("Invite a collaborator", `no mailbox at ${url}/mail, so nobody could read the invitation`);
    return { image, hasGuest: false };
  }
  await step("Invite a collaborator", () => invite(owner, guest, projectId), () => `a mail to ${guest.email}`);
  await step("Accept the invitation", () => accept(url, guest, projectId), (role) => `${guest.name} is a ${role} now`);
  return { image, hasGuest: true };
}
