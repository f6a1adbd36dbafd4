// GET /?project_id: the invitations of a project, for its owners.
import { listInvitations } from "../../../shared/contract/invite-collaborator.ts";
import { route } from "../_shared/route.ts";
import { callDoor } from "../_shared/database.ts";

export const list = route(listInvitations, async (input, context) => ({
  body: await callDoor(context, "list_invitations", input),
}));
