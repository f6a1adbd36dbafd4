// POST /: invites an address. The mail goes out after the commit; where it cannot, the invitation is withdrawn.
import * as z from "zod";
import { inviteCollaborator } from "../../../shared/contract/invite-collaborator.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";
import { env } from "../_shared/env.ts";
import { OperationError } from "../_shared/errors.ts";
import { sendMail } from "../_shared/mail.ts";
import { createToken } from "../_shared/token.ts";
import { invitationMail } from "./invitation_mail.ts";

const invited = inviteCollaborator.output.extend({
  project: z.object({ name: z.string() }),
});

export const invite = route(inviteCollaborator, async (input, context) => {
  const { token, tokenSha256 } = await createToken();
  const answer = invited.parse(await callDoor(context, "invite_collaborator", { ...input, token_sha256: tokenSha256 }));
  const { invitation, project } = answer;
  const link = `${env.siteUrl}/invitations/accept?token=${token}`;
  try {
    await sendMail(invitationMail({ to: invitation.email, projectName: project.name, role: invitation.role, link }));
  } catch (cause) {
    await callDoor(context, "withdraw_invitation", { invitation_id: invitation.id });
    throw new OperationError("unavailable", "The invitation could not be mailed, so it was withdrawn.", {}, { cause });
  }
  return { body: { invitation } };
});
