// A zip that is made while it is sent, of any number of files.
import { makeZip } from "client-zip";

/** From here on the number of files has no room in the archive's end, and stands in a record of its own before it. */
const MANY_FILES = 0xffff;

export interface ArchivedFile {
  name: string;
  input: string;
  lastModified: Date;
}

/** The archive as a stream, which fails as `files` does. */
export function archive(files: AsyncIterable<ArchivedFile>): ReadableStream<Uint8Array> {
  let count = 0;
  async function* counted() {
    for await (const file of files) {
      count++;
      yield file;
    }
  }
  // The archive's end is the last chunk.
  let last: Uint8Array | undefined;
  return makeZip(counted()).pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        if (last) controller.enqueue(last);
        last = chunk;
      },
      flush(controller) {
        if (!last) return;
        if (count >= MANY_FILES && !hasRecord(last)) controller.enqueue(countRecord(last, count));
        controller.enqueue(last);
      },
    }),
  );
}

/** Of the directory of files, as the end says it. */
const sizeOf = (end: Uint8Array) => new DataView(end.buffer, end.byteOffset).getUint32(12, true);
const placeOf = (end: Uint8Array) => new DataView(end.buffer, end.byteOffset).getUint32(16, true);

/** For archives of 4 GiB and more client-zip writes it. */
const hasRecord = (end: Uint8Array) => placeOf(end) === 0xffff_ffff;

/** The end in 64 bits, and where that stands. */
function countRecord(end: Uint8Array, count: number): Uint8Array {
  const [size, offset] = [BigInt(sizeOf(end)), BigInt(placeOf(end))];
  const record = new DataView(new ArrayBuffer(76));
  record.setUint32(0, 0x06064b50, true);
  record.setBigUint64(4, 44n, true); // The bytes that follow of the first part.
  record.setUint32(12, 0x002d002d, true); // Made by, and needs, version 4.5.
  [BigInt(count), BigInt(count), size, offset].forEach((value, index) =>
    record.setBigUint64(24 + 8 * index, value, true)
  );
  record.setUint32(56, 0x07064b50, true);
  record.setBigUint64(64, offset + size, true);
  record.setUint32(72, 1, true);
  return new Uint8Array(record.buffer);
}
