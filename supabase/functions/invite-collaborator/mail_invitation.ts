// Mails an invitation that the database has just made or renewed; where it cannot go out, it is withdrawn, unless that
// would tell who has an account.
import * as z from "zod";
import { inviteCollaborator } from "../../../shared/contract/invite-collaborator.ts";
import type { AppContext } from "../_shared/auth.ts";
import { callDoor } from "../_shared/database.ts";
import { env } from "../_shared/env.ts";
import { OperationError } from "../_shared/errors.ts";
import { inBackground } from "../_shared/background.ts";
import { mailCarrier } from "../_shared/mail.ts";
import { hashToken } from "../_shared/token.ts";
import { invitationMail } from "./invitation_mail.ts";

/**
 * Sends the token to the invited address and gives back what the caller is told. Throws `unavailable` when no mail went
 * out. A carrier that does more for known addresses also fails differently for them: nobody waits for it, and its
 * failure is in the log alone. The invitation stays pending, to be sent again.
 */
export async function mailInvitation(context: AppContext, answer: unknown, token: string) {
  const made = inviteCollaborator.output.extend({ project: z.object({ name: z.string() }) });
  const { invitation, project } = made.parse(answer);
  const link = `${env.siteUrl}/invitations/accept?token=${token}`;
  const mail = invitationMail({ to: invitation.email, projectName: project.name, role: invitation.role, link });
  const carrier = mailCarrier();
  const sending = carrier.send(mail);
  const about = { request_id: context.env.requestId, invitation_id: invitation.id };
  if (carrier.tellsApart) inBackground("invitation_not_mailed", sending, about);
  else await sending.catch((cause) => withdraw(context, invitation.id, token, cause));
  return { invitation };
}

/** One that was sent again since, with another token, stays. */
async function withdraw(context: AppContext, invitation_id: string, token: string, cause: unknown): Promise<never> {
  const mailed = { invitation_id, token_sha256: await hashToken(token) };
  const { withdrawn } = await callDoor(context, "withdraw_invitation", mailed) as { withdrawn: boolean };
  const message = `The invitation could not be mailed${withdrawn ? ", so it was withdrawn" : ""}.`;
  throw new OperationError("unavailable", message, {}, { cause });
}
