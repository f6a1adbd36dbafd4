// The people of a project with a typed client each, and a worker: what every test of the client starts from.
import { createGenesis, type Genesis } from "../../shared/client/mod.ts";
import { createTeam, type Project } from "../functions/project.ts";
import { worker } from "../support/actors.ts";

export interface Clients {
  project: Project;
  owner: Genesis;
  editor: Genesis;
  viewer: Genesis;
  stranger: Genesis;
  worker: Genesis;
}

/** Signs the people up and makes a project of theirs. */
export async function createClients(): Promise<Clients> {
  const project = await createTeam();
  const of = (name: "owner" | "editor" | "viewer" | "stranger") => createGenesis(project[name].client);
  return {
    project,
    owner: of("owner"),
    editor: of("editor"),
    viewer: of("viewer"),
    stranger: of("stranger"),
    worker: createGenesis(worker()),
  };
}

let made: Promise<Clients> | undefined;

/** The same people for all tests of a file; give each test a project of its own where it matters. */
export const sharedClients = (): Promise<Clients> => made ??= createClients();
