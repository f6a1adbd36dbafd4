// GET /content/:token: for whoever has the link, while the person who asked for it may read the file. Redirects to
// Storage's own link, which nobody can call back and which therefore lives a minute.
import { lazy } from "../../../shared/contract/operation.ts";
import * as z from "zod";
import { openLink, SHARED_LINK_SECONDS } from "../../../shared/contract/upload-file.ts";
import { callDoorAsService } from "../_shared/database.ts";
import { route } from "../_shared/route.ts";
import { serviceClient } from "../_shared/service.ts";
import { runsNothing } from "./active_content.ts";
import { readLink } from "./link_token.ts";
import { PRIVATE, signLink } from "./links.ts";

const opened = lazy(() =>
  z.object({
    bucket_name: z.string(),
    file_path: z.string(),
    file_name: z.string(),
    served_as: z.string().nullish(),
  })
);

export const follow = route(openLink, async ({ token }) => {
  const { file_id, user_id, download, transform } = await readLink(token);
  const file = opened().parse(await callDoorAsService("open_link", user_id ? { file_id, user_id } : { file_id }));
  const location = await signLink(serviceClient(), file, {
    seconds: SHARED_LINK_SECONDS,
    saveAs: download || !runsNothing(file.served_as) ? file.file_name : undefined,
    transform,
  });
  return { headers: { ...PRIVATE, location } };
});
