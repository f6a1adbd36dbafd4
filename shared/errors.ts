// The closed list of error codes: every refusal of every door has one of these, with one HTTP status and one meaning.
// The codes that the database raises stand in private.error_codes too; a repository test compares the lists.

/** What a code means: its HTTP status and a sentence for docs/errors.md. */
export interface ErrorMeaning {
  readonly status: number;
  readonly meaning: string;
}

export const ERROR_CODES = {
  malformed_json: { status: 400, meaning: "The body is not JSON." },
  unauthorized: { status: 401, meaning: "No valid user token or secret key came with the request." },
  forbidden: { status: 403, meaning: "You may see this, but your role does not allow it." },
  route_not_found: { status: 404, meaning: "The function has no such route." },
  method_not_allowed: { status: 405, meaning: "The route exists, but not for this method; see the `allow` header." },
  request_timeout: { status: 408, meaning: "The body did not come, or came too slowly; send it again." },
  payload_too_large: { status: 413, meaning: "The body, or one of its parts, is larger than allowed." },
  unsupported_media_type: { status: 415, meaning: "The content type is not the one this route takes." },
  validation_failed: {
    status: 422,
    meaning: "The body was read, but some fields are wrong; `details.fields` names them.",
  },
  internal: { status: 500, meaning: "Something failed on our side; quote the request id." },
  unavailable: { status: 503, meaning: "A service this needs did not answer; try again." },
  project_not_found: { status: 404, meaning: "No such project, or you are not a member of it." },
  project_not_active: { status: 409, meaning: "The project is archived or deleted, so nothing in it can change." },
  too_many_projects: {
    status: 429,
    meaning:
      "One person holds at most 1,000 projects, and is a member of at most 5,000; delete, pass on or leave some.",
  },
  workflow_not_found: { status: 404, meaning: "No such workflow, or you are not a member of its project." },
  workflow_version_not_found: { status: 404, meaning: "The workflow has no such published version." },
  workflow_invalid: { status: 422, meaning: "The graph cannot be published; `details.faults` names every fault." },
  idempotency_conflict: { status: 409, meaning: "The idempotency key was used with another input or version." },
  execution_not_found: { status: 404, meaning: "No such execution, or you are not a member of its project." },
  execution_not_running: { status: 409, meaning: "The execution has already ended." },
  execution_still_running: { status: 409, meaning: "The execution is still at work: cancel it, or wait for its end." },
  execution_not_failed: { status: 409, meaning: "Only a failed execution can be tried again." },
  node_not_found: { status: 404, meaning: "The workflow version has no such node." },
  task_not_found: { status: 404, meaning: "No such task, or you are not a member of its project." },
  task_lease_lost: { status: 409, meaning: "The lease no longer holds the task; nothing was changed." },
  task_already_reported: { status: 409, meaning: "This attempt was already reported, with another result." },
  task_not_waiting: { status: 409, meaning: "The task does not wait for a decision." },
  already_decided: { status: 409, meaning: "You have already decided this, the other way." },
  artifact_not_found: { status: 404, meaning: "No such artifact, or you are not a member of its project." },
  artifact_conflict: {
    status: 409,
    meaning: "The file has moved on since `base_version`; `details` holds head and hunks.",
  },
  session_not_found: { status: 404, meaning: "No such chat session in the project." },
  too_many_sessions: {
    status: 429,
    meaning: "One person has at most 10,000 chats in a project, and opens 1,000 at a time; delete some.",
  },
  too_many_messages: {
    status: 429,
    meaning: "One person writes at most 10,000 messages into a chat of somebody else, and 1,000 at a time.",
  },
  file_not_found: { status: 404, meaning: "No such file, or you are not a member of its project." },
  file_not_pending: { status: 409, meaning: "The upload of this file is already finished." },
  upload_expired: { status: 410, meaning: "The upload took too long and was given up; begin another." },
  too_many_uploads: { status: 429, meaning: "One person has at most 1,000 uploads under way; finish or delete some." },
  too_many_shares: { status: 429, meaning: "One person has at most 1,000 shares at work in a project; revoke some." },
  share_not_found: { status: 404, meaning: "No such share: the link is wrong, was revoked, or its file is gone." },
  share_expired: { status: 410, meaning: "The share has expired, or all its downloads are used up." },
  invitation_not_found: { status: 404, meaning: "No such invitation." },
  invitation_expired: { status: 410, meaning: "The invitation has expired; ask for another." },
  invitation_not_pending: { status: 409, meaning: "The invitation was already accepted or revoked." },
  invitation_wrong_address: { status: 403, meaning: "The invitation is for another e-mail address." },
  email_not_verified: { status: 403, meaning: "Confirm your e-mail address first." },
  already_a_member: { status: 409, meaning: "You are already a member of the project." },
  too_many_invitations: {
    status: 429,
    meaning:
      "The project or person has sent its limit of invitations for this hour; see `details.retry_after_seconds`.",
  },
  person_not_found: { status: 404, meaning: "No such person, or none of this project." },
  last_admin: { status: 409, meaning: "The last admin cannot step down: make another one first." },
} as const satisfies Record<string, ErrorMeaning>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** Is this string one of the closed list? */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERROR_CODES, value);
}

/** What every failing answer holds. */
export interface ErrorBody {
  error: { code: ErrorCode; message: string; details: Record<string, unknown>; request_id: string };
}
