// DELETE /:invitation_id: takes a pending invitation back.
import { revokeInvitation } from "../../../shared/contract/invite-collaborator.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";

export const revoke = route(revokeInvitation, async (input, context) => ({
  body: await callDoor(context, "revoke_invitation", input),
}));
