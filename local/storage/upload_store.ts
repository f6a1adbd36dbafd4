// What has arrived of resumable uploads: the bytes of each, and beside them a record of what it is for.
//
// Whole, an upload still has to become an object. Until its record says that it has, it counts as lacking its last byte:
// after a crash in between, a client that was told of all bytes would leave, and nothing would ever store them.
import { FileStore } from "@tus/file-store";
import type { Upload } from "@tus/server";

/** A record, as it is kept. */
type Received = Upload & { isStored?: boolean };

export class UploadStore extends FileStore {
  override async getUpload(id: string): Promise<Upload> {
    const upload = await super.getUpload(id);
    const { size } = upload;
    if (size === undefined) return upload;
    if (await this.isStored(id)) upload.offset = size;
    else if (size > 0 && upload.offset === size) upload.offset--;
    return upload;
  }

  /** Is it an object already? */
  async isStored(id: string): Promise<boolean> {
    return (await this.#read(id))?.isStored ?? false;
  }

  /** It is an object now: a client that did not hear of it may still ask, but the bytes are not kept twice. */
  async settle(id: string): Promise<void> {
    const record = await this.#read(id);
    if (!record) return;
    // Without an offset, or the library would take an empty upload for one that never expires.
    await this.configstore.set(id, Object.assign(record, { isStored: true, offset: undefined }));
    await Deno.truncate(`${this.directory}/${id}`);
  }

  async #read(id: string): Promise<Received | undefined> {
    return await this.configstore.get(id);
  }
}
