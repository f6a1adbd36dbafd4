// Every operation the client has: its name, where it is, and by type alone its contract. A new operation is one line here;
// a test compares the table with the contracts.
import type * as z from "zod";
import type * as completeTask from "../contract/complete-task.ts";
import type * as inviteCollaborator from "../contract/invite-collaborator.ts";
import type { Operation } from "../contract/operation.ts";
import type * as saveArtifact from "../contract/save-artifact.ts";
import type * as startWorkflow from "../contract/start-workflow.ts";
import type * as uploadFile from "../contract/upload-file.ts";
import type { CallOptions } from "./call.ts";

/** Where an operation is found. `Contract` is there for the types only: no schema is part of a bundle. */
export interface Route<Contract extends Operation = Operation> {
  readonly method: Operation["method"];
  /** Below /functions/v1; `:name` is replaced by the input's field of that name. */
  readonly path: string;
  readonly body: Operation["body"];
  readonly contract?: Contract;
}

const at = <Contract extends Operation>(
  method: Operation["method"],
  path: string,
  body: Operation["body"] = method === "POST" ? "json" : "none",
): Route<Contract> => ({ method, path, body });

export const OPERATIONS = {
  startWorkflow: at<typeof startWorkflow.startWorkflow>("POST", "start-workflow"),
  publishWorkflow: at<typeof startWorkflow.publishWorkflow>("POST", "start-workflow/publish"),
  rollBackWorkflow: at<typeof startWorkflow.rollBackWorkflow>("POST", "start-workflow/roll-back"),
  cancelExecution: at<typeof startWorkflow.cancelExecution>("POST", "start-workflow/cancel"),
  retryExecution: at<typeof startWorkflow.retryExecution>("POST", "start-workflow/retry"),
  forkExecution: at<typeof startWorkflow.forkExecution>("POST", "start-workflow/fork"),
  executionState: at<typeof startWorkflow.executionState>("GET", "start-workflow/executions/:execution_id"),
  listEvents: at<typeof startWorkflow.listEvents>("GET", "start-workflow/executions/:execution_id/events"),
  followExecution: at<typeof startWorkflow.followExecution>("GET", "start-workflow/executions/:execution_id/changes"),
  claimTasks: at<typeof completeTask.claimTasks>("POST", "complete-task/claim"),
  heartbeatTask: at<typeof completeTask.heartbeatTask>("POST", "complete-task/heartbeat"),
  releaseTask: at<typeof completeTask.releaseTask>("POST", "complete-task/release"),
  completeTask: at<typeof completeTask.completeTask>("POST", "complete-task"),
  completeTasks: at<typeof completeTask.completeTasks>("POST", "complete-task/batch"),
  decideTask: at<typeof completeTask.decideTask>("POST", "complete-task/decide"),
  saveArtifact: at<typeof saveArtifact.saveArtifact>("POST", "save-artifact"),
  deleteArtifact: at<typeof saveArtifact.deleteArtifact>("POST", "save-artifact/delete"),
  restoreArtifact: at<typeof saveArtifact.restoreArtifact>("POST", "save-artifact/restore"),
  revertExecution: at<typeof saveArtifact.revertExecution>("POST", "save-artifact/revert-execution"),
  artifactHistory: at<typeof saveArtifact.artifactHistory>("GET", "save-artifact/history"),
  artifactSnapshot: at<typeof saveArtifact.artifactSnapshot>("GET", "save-artifact/snapshot"),
  uploadFile: at<typeof uploadFile.uploadFile>("POST", "upload-file", "multipart"),
  signUpload: at<typeof uploadFile.signUpload>("POST", "upload-file/signed"),
  finishUpload: at<typeof uploadFile.finishUpload>("POST", "upload-file/finish"),
  downloadFile: at<typeof uploadFile.downloadFile>("GET", "upload-file/:file_id"),
  deleteFile: at<typeof uploadFile.deleteFile>("DELETE", "upload-file/:file_id"),
  shareFile: at<typeof uploadFile.shareFile>("POST", "upload-file/share"),
  revokeShare: at<typeof uploadFile.revokeShare>("DELETE", "upload-file/share/:share_id"),
  reconcileFiles: at<typeof uploadFile.reconcileFiles>("POST", "upload-file/reconcile"),
  inviteCollaborator: at<typeof inviteCollaborator.inviteCollaborator>("POST", "invite-collaborator"),
  acceptInvitation: at<typeof inviteCollaborator.acceptInvitation>("POST", "invite-collaborator/accept"),
  resendInvitation: at<typeof inviteCollaborator.resendInvitation>("POST", "invite-collaborator/resend"),
  revokeInvitation: at<typeof inviteCollaborator.revokeInvitation>("DELETE", "invite-collaborator/:invitation_id"),
  listInvitations: at<typeof inviteCollaborator.listInvitations>("GET", "invite-collaborator"),
};

export type OperationName = keyof typeof OPERATIONS;

type ContractOf<Name extends OperationName> = NonNullable<(typeof OPERATIONS)[Name]["contract"]>;

type IsOptional<Fields, Key> = Key extends keyof Fields ? Record<never, never> extends Pick<Fields, Key> ? true : false
  : false;

/** Fields as a program has them (numbers, not their text in a query), without those that have a default. */
type Given<Sent, Read> =
  & { [Key in keyof Read as IsOptional<Sent, Key> extends true ? never : Key]: Read[Key] }
  & { [Key in keyof Read as IsOptional<Sent, Key> extends true ? Key : never]?: Read[Key] };

/** What an operation takes; a multipart one takes its `file` along. */
export type InputOf<Name extends OperationName> =
  & Given<z.input<ContractOf<Name>["input"]>, z.output<ContractOf<Name>["input"]>>
  & (Name extends "uploadFile" ? { file: Blob } : unknown);

/** What an operation answers. */
export type OutputOf<Name extends OperationName> = z.output<ContractOf<Name>["output"]>;

/** One method per operation. Each throws GenesisError. */
export type Operations = {
  [Name in OperationName]: (input: InputOf<Name>, options?: CallOptions) => Promise<OutputOf<Name>>;
};
