// The operations in the access matrix: door × actor → what happens. Whoever is not named is refused with `forbidden`,
// outsiders as if there were nothing, and someone without an account is not let in at all.
import type { ActorName } from "./world.ts";

/** `done`, `nothing` (an answer that nothing was there to do), `denied` (42501), or the code of a refusal. */
export type Outcome = string;

export interface OperationEntry {
  door: string;
  /** What it is asked about, where a door has several entries. */
  about?: string;
  /** `{project}`, `{me}` and the names of the world's rows are filled in. */
  args: Record<string, unknown>;
  done: readonly ActorName[];
  /** What strangers and former collaborators are told. */
  outsiders: Outcome;
  /** What the others are told, where it is not `forbidden`. */
  others?: Partial<Record<ActorName, Outcome>>;
  /** The answer that means `nothing`. */
  nothing?: Record<string, unknown>;
}

const writers: ActorName[] = ["editor", "owner", "worker"];
const owners: ActorName[] = ["owner", "worker"];

export const OPERATIONS: OperationEntry[] = [
  { door: "start_workflow", args: { workflow_id: "{workflow}" }, done: writers, outsiders: "workflow_not_found" },
  { door: "publish_workflow", args: { workflow_id: "{workflow}" }, done: writers, outsiders: "workflow_not_found" },
  {
    door: "roll_back_workflow",
    args: { workflow_id: "{workflow}", to_version: 1 },
    done: writers,
    outsiders: "workflow_not_found",
  },
  { door: "cancel_execution", args: { execution_id: "{execution}" }, done: writers, outsiders: "execution_not_found" },
  {
    door: "retry_execution",
    about: "which has not failed",
    args: { execution_id: "{execution}" },
    done: [],
    outsiders: "execution_not_found",
    others: { editor: "execution_not_failed", owner: "execution_not_failed", worker: "execution_not_failed" },
  },
  {
    door: "fork_execution",
    args: { execution_id: "{execution}", from_node: "a" },
    done: writers,
    outsiders: "execution_not_found",
  },
  {
    door: "execution_state",
    args: { execution_id: "{execution}" },
    done: ["viewer", "editor", "owner", "admin", "worker"],
    outsiders: "execution_not_found",
  },
  {
    door: "list_events",
    args: { execution_id: "{execution}" },
    done: ["viewer", "editor", "owner", "admin", "worker"],
    outsiders: "execution_not_found",
  },
  {
    door: "follow_execution",
    args: { execution_id: "{execution}" },
    done: ["viewer", "editor", "owner", "admin", "worker"],
    outsiders: "execution_not_found",
  },
  {
    door: "release_task",
    args: { task_id: "{leasedTask}", lease_token: "{leaseToken}" },
    done: writers,
    outsiders: "task_not_found",
  },
  {
    door: "decide_task",
    about: "which waits for no decision",
    args: { task_id: "{leasedTask}", decision: "approved" },
    done: [],
    outsiders: "task_not_found",
    others: { editor: "task_not_waiting", owner: "task_not_waiting" },
  },
  {
    door: "complete_tasks",
    args: { results: [{ task_id: "{leasedTask}", lease_token: "{leaseToken}", status: "completed" }] },
    done: writers,
    outsiders: "task_not_found",
  },
  {
    door: "claim_tasks",
    args: { worker_id: "w", agent_types: ["architect"], project_id: "{project}" },
    done: writers,
    outsiders: "project_not_found",
  },
  {
    door: "claim_tasks",
    about: "everywhere, which is only where one may",
    args: { worker_id: "w", agent_types: ["architect"] },
    done: writers,
    outsiders: "nothing",
    others: { viewer: "nothing", admin: "nothing" },
    nothing: { tasks: [] },
  },
  {
    door: "heartbeat_task",
    args: { task_id: "{leasedTask}", lease_token: "{leaseToken}" },
    done: writers,
    outsiders: "task_not_found",
  },
  {
    door: "complete_task",
    args: { task_id: "{leasedTask}", lease_token: "{leaseToken}", status: "completed" },
    done: writers,
    outsiders: "task_not_found",
  },
  {
    door: "complete_task",
    about: "as failed",
    args: { task_id: "{leasedTask}", lease_token: "{leaseToken}", status: "failed" },
    done: writers,
    outsiders: "task_not_found",
  },
  {
    door: "save_artifact",
    args: { project_id: "{project}", file_path: "new", content: "text" },
    done: writers,
    outsiders: "project_not_found",
  },
  {
    door: "register_upload",
    args: { project_id: "{project}", file_name: "new" },
    done: writers,
    outsiders: "project_not_found",
  },
  {
    door: "finish_upload",
    args: { file_id: "{pendingFile}", file_size: 1, sha256: "0".repeat(64), mime_type: "text/plain" },
    done: ["worker"],
    outsiders: "forbidden",
  },
  {
    door: "abort_upload",
    args: { file_id: "{pendingFile}" },
    done: ["editor", "worker"],
    outsiders: "nothing",
    others: { viewer: "nothing", owner: "nothing", admin: "nothing" },
    nothing: { aborted: false },
  },
  {
    door: "invite_collaborator",
    args: { project_id: "{project}", email: "new@example.com", role: "viewer", token_sha256: "{freshToken}" },
    done: owners,
    outsiders: "project_not_found",
  },
  {
    door: "accept_invitation",
    about: "that is for the stranger",
    args: { token_sha256: "{invitationToken}" },
    done: ["stranger"],
    outsiders: "invitation_wrong_address",
    others: {
      viewer: "invitation_wrong_address",
      editor: "invitation_wrong_address",
      owner: "invitation_wrong_address",
      admin: "invitation_wrong_address",
    },
  },
  {
    door: "withdraw_invitation",
    args: { invitation_id: "{invitation}" },
    done: owners,
    outsiders: "invitation_not_found",
  },
  {
    door: "resend_invitation",
    args: { invitation_id: "{invitation}", token_sha256: "{freshToken}" },
    done: owners,
    outsiders: "invitation_not_found",
  },
  {
    door: "revoke_invitation",
    args: { invitation_id: "{invitation}" },
    done: owners,
    outsiders: "invitation_not_found",
  },
  {
    door: "list_invitations",
    args: { project_id: "{project}" },
    done: [...owners, "admin"],
    outsiders: "project_not_found",
  },
  {
    door: "sign_upload",
    args: { project_id: "{project}", file_name: "new", file_size: 1, mime_type: "text/plain" },
    done: writers,
    outsiders: "project_not_found",
  },
  {
    door: "check_upload",
    args: { file_id: "{pendingFile}" },
    done: ["editor", "worker"],
    outsiders: "file_not_found",
    others: { viewer: "file_not_found", owner: "file_not_found", admin: "file_not_found" },
  },
  {
    door: "download_file",
    args: { file_id: "{readyFile}" },
    done: ["viewer", "editor", "owner", "admin", "worker"],
    outsiders: "file_not_found",
  },
  { door: "delete_file", args: { file_id: "{readyFile}" }, done: writers, outsiders: "file_not_found" },
  {
    door: "share_file",
    args: { file_id: "{readyFile}", expires_in_seconds: 60, token_sha256: "{freshToken}" },
    done: writers,
    outsiders: "file_not_found",
  },
  { door: "open_link", args: { file_id: "{readyFile}" }, done: ["worker"], outsiders: "forbidden" },
  { door: "open_share", args: { token_sha256: "{shareToken}" }, done: ["worker"], outsiders: "forbidden" },
  { door: "return_download", args: { share_id: "{share}" }, done: ["worker"], outsiders: "forbidden" },
  { door: "revoke_share", args: { share_id: "{share}" }, done: writers, outsiders: "share_not_found" },
  { door: "reconcile_files", args: { project_id: "{project}" }, done: owners, outsiders: "project_not_found" },
  {
    door: "adopt_file",
    args: {
      file_path: "{project}/by-editor",
      file_size: 1,
      sha256: "0".repeat(64),
      mime_type: "text/plain",
      version: "1",
    },
    done: ["worker"],
    outsiders: "forbidden",
  },
  {
    door: "pass_over_object",
    args: { file_path: "{project}/by-editor", version: "1" },
    done: ["worker"],
    outsiders: "forbidden",
  },
  {
    door: "delete_artifact",
    args: { project_id: "{project}", file_path: "a" },
    done: writers,
    outsiders: "project_not_found",
  },
  { door: "restore_artifact", args: { artifact_id: "{artifact}" }, done: writers, outsiders: "artifact_not_found" },
  {
    door: "artifact_history",
    args: { project_id: "{project}", file_path: "a" },
    done: ["viewer", "editor", "owner", "admin", "worker"],
    outsiders: "project_not_found",
  },
  {
    door: "artifact_snapshot",
    args: { project_id: "{project}" },
    done: ["viewer", "editor", "owner", "admin", "worker"],
    outsiders: "project_not_found",
  },
  {
    door: "revert_execution",
    about: "which is still at work",
    args: { execution_id: "{execution}" },
    done: [],
    outsiders: "execution_not_found",
    others: {
      editor: "execution_still_running",
      owner: "execution_still_running",
      worker: "execution_still_running",
    },
  },
  {
    door: "transfer_project",
    args: { project_id: "{project}", user_id: "{mate}" },
    done: owners,
    outsiders: "project_not_found",
  },
  {
    door: "set_user_role",
    about: "of someone else",
    args: { user_id: "{mate}", role: "developer" },
    done: ["admin", "worker"],
    outsiders: "forbidden",
  },
  {
    door: "set_user_role",
    about: "of themselves",
    args: { user_id: "{me}", role: "admin" },
    done: ["admin", "worker"],
    outsiders: "forbidden",
  },
];
