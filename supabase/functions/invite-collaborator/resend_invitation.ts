// POST /resend: mails a pending invitation again, with a new token.
import { resendInvitation } from "../../../shared/contract/invite-collaborator.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";
import { mailInvitation } from "./mail_invitation.ts";
import { createToken } from "../_shared/token.ts";

export const resend = route(resendInvitation, async ({ invitation_id }, context) => {
  const { token, tokenSha256 } = await createToken();
  const answer = await callDoor(context, "resend_invitation", { invitation_id, token_sha256: tokenSha256 });
  return { body: await mailInvitation(context, answer, token) };
});
