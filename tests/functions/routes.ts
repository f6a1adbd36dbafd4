// Every route there is, from the contracts: what holds for all of them is tested over this list.
import * as completeTask from "../../shared/contract/complete-task.ts";
import * as inviteCollaborator from "../../shared/contract/invite-collaborator.ts";
import type { Operation } from "../../shared/contract/operation.ts";
import * as saveArtifact from "../../shared/contract/save-artifact.ts";
import * as startWorkflow from "../../shared/contract/start-workflow.ts";
import * as uploadFile from "../../shared/contract/upload-file.ts";

export interface FunctionContract {
  slug: string;
  operations: Operation[];
}

export const CONTRACTS: FunctionContract[] = [
  { slug: "start-workflow", operations: startWorkflow.operations },
  { slug: "complete-task", operations: completeTask.operations },
  { slug: "save-artifact", operations: saveArtifact.operations },
  { slug: "upload-file", operations: uploadFile.operations },
  { slug: "invite-collaborator", operations: inviteCollaborator.operations },
];

export interface RouteUnderTest {
  /** Path below /functions/v1. */
  path: string;
  operation: Operation;
}

/** A path with something in the place of its parameters: an id that nothing has. */
const filled = (path: string) => path.replace(/:\w+/g, "00000000-0000-4000-8000-000000000000");

export const ROUTES: RouteUnderTest[] = CONTRACTS.flatMap(({ slug, operations }) =>
  operations.map((operation) => ({ path: operation.path === "/" ? slug : slug + filled(operation.path), operation }))
);

/** The methods that a path of ROUTES has: several operations may share one. */
export const methodsOf = (path: string): string[] =>
  ROUTES.filter((route) => route.path === path).map(({ operation }) => operation.method);

/** The routes that ask for a credential. */
export const GUARDED_ROUTES = ROUTES.filter(({ operation }) => operation.callers.length > 0);

export const JSON_ROUTES = ROUTES.filter(({ operation }) => operation.body === "json");
