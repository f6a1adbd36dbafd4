// POST /accept: makes the signed-in person a collaborator, with the token from their mail.
import { acceptInvitation } from "../../../shared/contract/invite-collaborator.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";
import { hashToken } from "../_shared/token.ts";

export const accept = route(acceptInvitation, async ({ token }, context) => ({
  body: await callDoor(context, "accept_invitation", { token_sha256: await hashToken(token) }),
}));
