// POST /: invites an address. The mail goes out after the commit.
import { inviteCollaborator } from "../../../shared/contract/invite-collaborator.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";
import { mailInvitation } from "./mail_invitation.ts";
import { createToken } from "../_shared/token.ts";

export const invite = route(inviteCollaborator, async (input, context) => {
  const { token, tokenSha256 } = await createToken();
  const answer = await callDoor(context, "invite_collaborator", { ...input, token_sha256: tokenSha256 });
  return { body: await mailInvitation(context, answer, token) };
});
