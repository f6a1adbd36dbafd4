// Contract of the function invite-collaborator: how people come into a project.
import * as z from "zod";
import { lazy, operation } from "./operation.ts";
import { id, jsonObject, time } from "./values.ts";

const role = lazy(() => z.enum(["owner", "editor", "viewer"]));

export const invitation = lazy(() =>
  z.object({
    id: id(),
    project_id: id(),
    email: z.string(),
    /** What whoever accepts it will be. */
    role: role(),
    status: z.enum(["pending", "accepted", "revoked"]),
    /** The person; null for a worker. */
    invited_by: id().nullable(),
    /** Seven days after it was mailed. */
    expires_at: time(),
    created_at: time(),
  })
);

/** As zod has it, and with the ends of names that countries have in letters of their own, which are written `xn--…`. */
const EMAIL = /^(?:[\w'+-]+\.)*[\w'+-]*[\w+-]@(?:[a-z\d][a-z\d-]*\.)+(?:[a-z]{2,}|xn--[a-z\d-]+)$/i;

export const inviteCollaborator = operation({
  name: "invite_collaborator",
  method: "POST",
  path: "/",
  summary: "Invite an address by mail. The answer does not tell whether it has an account.",
  callers: ["user", "secret"],
  body: "json",
  input: () => z.object({ project_id: id(), email: z.email({ pattern: EMAIL }).max(320), role: role() }),
  output: () => z.object({ invitation: invitation() }),
  statuses: [201],
  errors: ["forbidden", "project_not_found", "project_not_active", "too_many_invitations", "unavailable"],
});

export const acceptInvitation = operation({
  name: "accept_invitation",
  method: "POST",
  path: "/accept",
  summary: "Accept an invitation with the token from the mail, signed in as the invited, verified address.",
  callers: ["user"],
  body: "json",
  input: () =>
    z.object({
      /** As it stands in the link that was mailed. */
      token: z.string().min(20).max(200),
    }),
  output: () =>
    z.object({
      collaborator: z.object({
        id: id(),
        project_id: id(),
        user_id: id(),
        role: role(),
        permissions: jsonObject(),
        created_at: time(),
      }),
      project: z.object({ id: id(), name: z.string(), description: z.string().nullable(), status: z.string() }),
    }),
  statuses: [200],
  errors: [
    "too_many_projects",
    "invitation_not_found",
    "invitation_expired",
    "invitation_not_pending",
    "invitation_wrong_address",
    "email_not_verified",
    "already_a_member",
    "project_not_active",
  ],
});

export const resendInvitation = operation({
  name: "resend_invitation",
  method: "POST",
  path: "/resend",
  summary: "Mail a pending invitation again, with a new token and seven new days. The older link stops working.",
  callers: ["user", "secret"],
  body: "json",
  input: () => z.object({ invitation_id: id() }),
  output: () => z.object({ invitation: invitation() }),
  statuses: [200],
  errors: [
    "forbidden",
    "invitation_not_found",
    "invitation_not_pending",
    "project_not_active",
    "too_many_invitations",
    "unavailable",
  ],
});

export const revokeInvitation = operation({
  name: "revoke_invitation",
  method: "DELETE",
  path: "/:invitation_id",
  summary: "Take a pending invitation back: its link stops working at once.",
  callers: ["user", "secret"],
  body: "none",
  input: () => z.object({ invitation_id: id() }),
  output: () => z.object({ invitation: invitation() }),
  statuses: [204],
  errors: ["forbidden", "invitation_not_found", "invitation_not_pending"],
});

export const listInvitations = operation({
  name: "list_invitations",
  method: "GET",
  path: "/",
  summary: "The newest 500 invitations of a project, never with a token. For its owners, and for admins.",
  callers: ["user", "secret"],
  body: "none",
  input: () => z.object({ project_id: id() }),
  output: () => z.object({ invitations: z.array(invitation()) }),
  statuses: [200],
  errors: ["forbidden", "project_not_found"],
});

export const operations = [
  inviteCollaborator,
  acceptInvitation,
  resendInvitation,
  revokeInvitation,
  listInvitations,
];
