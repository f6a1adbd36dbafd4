// GET /shared/:token: for anyone. Counts a download and redirects to a link that lives a minute.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { openShare, SHARED_LINK_SECONDS } from "../../../shared/contract/upload-file.ts";
import { id } from "../../../shared/contract/values.ts";
import { callDoorAsService } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";
import { serviceClient } from "../_shared/service.ts";
import { hashToken } from "../_shared/token.ts";
import { PRIVATE, signLink } from "./links.ts";

const opened = lazy(() =>
  z.object({ share_id: id(), bucket_name: z.string(), file_path: z.string(), file_name: z.string() })
);

export const open = route(openShare, async ({ token }) => {
  const file = opened().parse(await callDoorAsService("open_share", { token_sha256: await hashToken(token) }));
  try {
    const location = await signLink(serviceClient(), file, { seconds: SHARED_LINK_SECONDS, saveAs: file.file_name });
    return { headers: { ...PRIVATE, location } };
  } catch (error) {
    await callDoorAsService("return_download", { share_id: file.share_id });
    throw error;
  }
});
