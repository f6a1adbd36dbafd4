// POST /share: a link that lets anyone download the file. Its token is in this answer and nowhere else.
import { shareFile } from "../../../shared/contract/upload-file.ts";
import { callDoor } from "../_shared/database.ts";
import { env } from "../_shared/env.ts";
import { route } from "../_shared/route.ts";
import { createToken } from "../_shared/token.ts";

export const share = route(shareFile, async (input, context) => {
  const { token, tokenSha256 } = await createToken();
  const answer = await callDoor(context, "share_file", { ...input, token_sha256: tokenSha256 });
  const url = `${env.publicUrl}/functions/v1/upload-file/shared/${token}`;
  return { body: { ...answer as Record<string, unknown>, url } };
});
