// What people do while the agents work: the owner uploads an image and invites a collaborator; a stranger sees nothing.
import { acceptInvitation, inviteCollaborator } from "../../../shared/contract/invite-collaborator.ts";
import { startWorkflow } from "../../../shared/contract/start-workflow.ts";
import { uploadFile } from "../../../shared/contract/upload-file.ts";
import { call, Refusal, take } from "./calls.ts";
import { makePng } from "./image.ts";
import { readInvitationToken } from "./mailbox.ts";
import type { Person } from "./people.ts";

export interface StoredImage {
  bucket: string;
  path: string;
  bytes: number;
}

/** Uploads an image and fetches it back by its signed URL: it must come back byte for byte. */
export async function uploadImage(owner: Person, projectId: string): Promise<StoredImage> {
  const image = makePng(64);
  const form = new FormData();
  form.append("project_id", projectId);
  form.append("file", new File([image], "logo.png", { type: "image/png" }));
  const { file, signed_url } = await call(owner.client, "upload-file", uploadFile, form);

  const response = await fetch(signed_url);
  const back = new Uint8Array(await response.arrayBuffer());
  if (!response.ok) throw new Error(`The signed URL answered ${response.status}.`);
  if (back.length !== image.length || back.some((byte, at) => byte !== image[at])) {
    throw new Error(`The image came back changed: ${image.length} bytes went up, ${back.length} came down.`);
  }
  const type = response.headers.get("content-type");
  if (type !== "image/png") throw new Error(`The image came back as ${type} instead of image/png.`);
  return { bucket: file.bucket_name, path: file.file_path, bytes: image.length };
}

export async function invite(owner: Person, guest: Person, projectId: string): Promise<void> {
  const body = { project_id: projectId, email: guest.email, role: "viewer" as const };
  await call(owner.client, "invite-collaborator", inviteCollaborator, body);
}

/** The guest opens the mail and accepts. */
export async function accept(url: string, guest: Person, projectId: string): Promise<string> {
  const token = await readInvitationToken(url, guest.email);
  const { collaborator, project } = await call(guest.client, "invite-collaborator", acceptInvitation, { token });
  if (collaborator.user_id !== guest.id || project.id !== projectId) throw new Error("Somebody else was let in.");
  return collaborator.role;
}

const OF_A_PROJECT = [
  "project_collaborators",
  "workflows",
  "workflow_executions",
  "agent_tasks",
  "execution_events",
  "code_artifacts",
  "chat_sessions",
  "file_storage",
] as const;

/** A stranger looks everywhere: no row, no file, no start. Answers in how many places they looked. */
export async function lookAsStranger(
  { client }: Person,
  projectId: string,
  workflowId: string,
  image: StoredImage,
): Promise<number> {
  const projects = take("look for projects", await client.from("projects").select("id").eq("id", projectId));
  if (projects.length > 0) throw new Error("A stranger can see the project.");
  for (const table of OF_A_PROJECT) {
    const rows = take(`look into ${table}`, await client.from(table).select("project_id").eq("project_id", projectId));
    if (rows.length > 0) throw new Error(`A stranger can see ${rows.length} rows of ${table}.`);
  }
  const download = await client.storage.from(image.bucket).download(image.path);
  if (!download.error) throw new Error("A stranger can download the image.");
  try {
    await call(client, "start-workflow", startWorkflow, { workflow_id: workflowId });
  } catch (thrown) {
    if (thrown instanceof Refusal && thrown.code === "workflow_not_found") return OF_A_PROJECT.length + 3;
    throw thrown;
  }
  throw new Error("A stranger can start the workflow.");
}
