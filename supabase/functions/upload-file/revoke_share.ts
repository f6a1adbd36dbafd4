// DELETE /share/:share_id: the link opens nothing any more.
import { revokeShare } from "../../../shared/contract/upload-file.ts";
import { callDoor } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";

export const revoke = route(revokeShare, async (input, context) => {
  await callDoor(context, "revoke_share", input);
  return {};
});
