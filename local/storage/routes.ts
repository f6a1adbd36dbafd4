// The Storage API's routes. The first that fits counts; `operation` is what storage.operation() tells the policies.
import {
  createBucket,
  deleteBucket,
  emptyBucket,
  getBucket,
  listBuckets,
  purgeCache,
  updateBucket,
} from "./buckets.ts";
import { getInfo, getObject, getPublicInfo, getPublicObject, getSignedObject } from "./download.ts";
import { listObjects, listObjectsV2 } from "./list.ts";
import { copyObject, moveObject, removeObject, removeObjects } from "./manage.ts";
import { renderObject, renderPublicObject, renderSignedObject } from "./render.ts";
import type { Operation } from "./request.ts";
import { resumeUpload } from "./resumable.ts";
import { signObject, signObjects } from "./sign.ts";
import { createObject, signUpload, updateObject, uploadSigned } from "./upload.ts";

export interface Route {
  method: string;
  pattern: RegExp;
  operation: string;
  run: Operation;
}

/** `:bucket` is one path segment, `*` (the object's name) is the rest of the path. */
function route(method: string, path: string, operation: string, run: Operation): Route {
  const pattern = path.replace(":bucket", "(?<bucket>[^/]+)").replace("*", "(?<object>.+)");
  return { method, pattern: new RegExp(`^${pattern}$`), operation: `storage.${operation}`, run };
}

/** Of an upload without or with a token, and of a new one or one that goes on. */
const RESUMABLE = "/upload/resumable(?:/sign)?(?:/[0-9a-f-]+)?";

export const routes: Route[] = [
  route("GET", "/bucket", "bucket.list", listBuckets),
  route("POST", "/bucket", "bucket.create", createBucket),
  route("GET", "/bucket/:bucket", "bucket.get", getBucket),
  route("PUT", "/bucket/:bucket", "bucket.update", updateBucket),
  route("DELETE", "/bucket/:bucket", "bucket.delete", deleteBucket),
  route("POST", "/bucket/:bucket/empty", "bucket.empty", emptyBucket),

  route("POST", "/object/list/:bucket", "object.list", listObjects),
  route("POST", "/object/list-v2/:bucket", "object.list_v2", listObjectsV2),
  route("POST", "/object/move", "object.move", moveObject),
  route("POST", "/object/copy", "object.copy", copyObject),

  route("POST", "/object/upload/sign/:bucket/*", "object.sign_upload_url", signUpload),
  route("PUT", "/object/upload/sign/:bucket/*", "object.upload_signed", uploadSigned),
  route("POST", "/object/sign/:bucket", "object.sign_many", signObjects),
  route("POST", "/object/sign/:bucket/*", "object.sign", signObject),
  route("GET", "/object/sign/:bucket/*", "object.get_signed", getSignedObject),

  route("GET", "/object/info/public/:bucket/*", "object.info_public", getPublicInfo),
  route("GET", "/object/info/authenticated/:bucket/*", "object.info_authenticated", getInfo),
  route("GET", "/object/info/:bucket/*", "object.info_authenticated", getInfo),

  route("GET", "/object/public/:bucket/*", "object.get_public", getPublicObject),
  route("GET", "/object/authenticated/:bucket/*", "object.get_authenticated", getObject),
  route("GET", "/object/:bucket/*", "object.get_authenticated", getObject),
  route("POST", "/object/:bucket/*", "object.upload", createObject),
  route("PUT", "/object/:bucket/*", "object.upload_update", updateObject),
  route("DELETE", "/object/:bucket", "object.delete_many", removeObjects),
  route("DELETE", "/object/:bucket/*", "object.delete", removeObject),

  route("GET", "/render/image/public/:bucket/*", "render.image_public", renderPublicObject),
  route("GET", "/render/image/authenticated/:bucket/*", "render.image_authenticated", renderObject),
  route("GET", "/render/image/sign/:bucket/*", "render.image_sign", renderSignedObject),

  route("DELETE", "/cdn/.+", "object.purge_cache", purgeCache),
  route("POST", RESUMABLE, "tus.upload.create", resumeUpload),
  route("PATCH", RESUMABLE, "tus.upload.part", resumeUpload),
  route("GET", RESUMABLE, "tus.upload.get", resumeUpload),
  route("DELETE", RESUMABLE, "tus.upload.delete", resumeUpload),
  route("OPTIONS", RESUMABLE, "tus.options", resumeUpload),
];
