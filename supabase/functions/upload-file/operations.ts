// The operations of upload-file, loaded by the first request that needs one.
import { remove } from "./delete_file.ts";
import { download } from "./download_file.ts";
import { finish } from "./finish_upload.ts";
import { follow } from "./open_link.ts";
import { open } from "./open_share.ts";
import { reconcile } from "./reconcile_files.ts";
import { revoke } from "./revoke_share.ts";
import { share } from "./share_file.ts";
import { sign } from "./sign_upload.ts";
import { upload } from "./upload_file.ts";

export const routes = [upload, sign, finish, download, follow, remove, share, open, revoke, reconcile];
