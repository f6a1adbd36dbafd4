// The operations of invite-collaborator, loaded by the first request that needs one.
import { accept } from "./accept_invitation.ts";
import { invite } from "./invite_collaborator.ts";
import { list } from "./list_invitations.ts";
import { resend } from "./resend_invitation.ts";
import { revoke } from "./revoke_invitation.ts";

export const routes = [invite, accept, resend, revoke, list];
