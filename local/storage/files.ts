// The bytes of objects on disk: one immutable file per version, named by the version's UUID and by nothing a user chose.
//
// A file is written under uploads/, synced, and only then renamed into versions/; a row points at it afterwards.
// So a crash at any point leaves at worst a file without a row, which `sweep` (sweep.ts) finds.
import { createHash } from "node:crypto";
import { tooLarge } from "./errors.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface ReceivedFile {
  version: string;
  size: number;
  /** MD5 in quotes, as S3 makes it. */
  etag: string;
}

/** First and last byte of a part of a file, both included. */
export interface ByteRange {
  start: number;
  end: number;
}

export class FileStore {
  readonly uploads: string;
  readonly versions: string;
  #prepared: Promise<void> | undefined;

  constructor(readonly directory: string) {
    this.uploads = `${directory}/uploads`;
    this.versions = `${directory}/versions`;
  }

  /** Writes a stream to a new version that no row points at yet; `limit` is in bytes. On any failure nothing is left. */
  async receive(chunks: AsyncIterable<Uint8Array>, limit: number): Promise<ReceivedFile> {
    await this.prepare();
    const version = crypto.randomUUID();
    const temporary = `${this.uploads}/${version}`;
    const file = await Deno.open(temporary, { write: true, createNew: true });
    try {
      const hash = createHash("md5");
      let size = 0;
      for await (const chunk of chunks) {
        size += chunk.length;
        if (size > limit) throw tooLarge();
        hash.update(chunk);
        // Into the page cache, so it hardly waits; asynchronous writes were measured to cost 90 MB in native buffers.
        for (let written = 0; written < chunk.length;) written += file.writeSync(chunk.subarray(written));
      }
      await file.sync();
      file.close();
      const path = await this.#newPath(version);
      await Deno.rename(temporary, path);
      await syncDirectory(path.slice(0, path.lastIndexOf("/")));
      return { version, size, etag: `"${hash.digest("hex")}"` };
    } catch (cause) {
      closeQuietly(file);
      await removeQuietly(temporary);
      throw cause;
    }
  }

  /** A second name for the same bytes: cheap, and each of the two can be removed without harm to the other. */
  async duplicate(version: string): Promise<string> {
    const copy = crypto.randomUUID();
    const [from, to] = [this.path(version), await this.#newPath(copy)];
    try {
      await Deno.link(from, to);
    } catch (cause) {
      if (cause instanceof Deno.errors.NotFound) throw cause;
      await Deno.copyFile(from, to); // A file system without hard links.
    }
    return copy;
  }

  /** Opens a version for reading; throws Deno.errors.NotFound when its bytes are gone. */
  async open(version: string, range?: ByteRange): Promise<ReadableStream<Uint8Array>> {
    const file = await Deno.open(this.path(version), { read: true });
    if (!range) return file.readable;
    await file.seek(range.start, Deno.SeekMode.Start);
    let left = range.end - range.start + 1;
    return file.readable.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          controller.enqueue(chunk.subarray(0, left));
          left -= chunk.length;
          if (left <= 0) controller.terminate();
        },
      }),
    );
  }

  /** Removes versions that no row points at any more; a file that cannot be removed now is left to the sweep. */
  async remove(versions: Iterable<string | null>): Promise<void> {
    for (const version of versions) if (version && UUID.test(version)) await removeQuietly(this.path(version));
  }

  /** The file of a version. A version that is not one of ours has no file. */
  path(version: string): string {
    if (!UUID.test(version)) throw new Deno.errors.NotFound(`No bytes are kept for version ${version}`);
    return `${this.versions}/${version.slice(0, 2)}/${version}`;
  }

  prepare(): Promise<void> {
    return this.#prepared ??= Promise.all(
      [this.uploads, this.versions].map((path) => Deno.mkdir(path, { recursive: true })),
    ).then(() => undefined);
  }

  async #newPath(version: string): Promise<string> {
    const path = this.path(version);
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    return path;
  }
}

/** Makes a rename survive a power cut. Systems that cannot sync a directory do without. */
async function syncDirectory(path: string): Promise<void> {
  try {
    using directory = await Deno.open(path, { read: true });
    await directory.sync();
  } catch { /* not possible here */ }
}

function closeQuietly(file: Deno.FsFile): void {
  try {
    file.close();
  } catch { /* closed before */ }
}

export async function removeQuietly(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch { /* gone before, or for the sweep */ }
}
