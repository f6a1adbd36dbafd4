// Reads a zip by its central directory, as unpackers do, and checks sizes and checksums on the way.
import { assertEquals } from "@std/assert";
import { crc32 } from "node:zlib";

/** The texts of a zip's files by their names, in the archive's order. Fails where the archive contradicts itself. */
export function unzip(bytes: Uint8Array): Record<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - 22;
  assertEquals(view.getUint32(end, true), 0x06054b50, "There is no end of a zip");
  const files: Record<string, string> = {};
  let [at, count] = [view.getUint32(end + 16, true), view.getUint16(end + 10, true)];
  if (count === 0xffff) {
    // As unpackers find out how many there are: by the record whose place stands before the end.
    assertEquals(view.getUint32(end - 20, true), 0x07064b50, "There are more files than the end can count");
    const record = Number(view.getBigUint64(end - 12, true));
    assertEquals(view.getUint32(record, true), 0x06064b50, "There is no record of how many files there are");
    [at, count] = [48, 32].map((offset) => Number(view.getBigUint64(record + offset, true))) as [number, number];
  }
  for (let left = count; left > 0; left--) {
    assertEquals(view.getUint32(at, true), 0x02014b50, "The directory is broken");
    const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
    assertEquals([flags & 0x0801, method], [0x0800, 0], "A file is not plain with a name in UTF-8");
    const [sum, size] = [view.getUint32(at + 16, true), view.getUint32(at + 24, true)];
    const [nameSize, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true)) as [
      number,
      number,
      number,
    ];
    const name = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at + 46, at + 46 + nameSize));
    const local = view.getUint32(at + 42, true);
    const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const content = bytes.subarray(from, from + size);
    assertEquals(crc32(content), sum, `${name} has another checksum`);
    assertEquals(Object.hasOwn(files, name), false, `${name} is there twice`);
    files[name] = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
    at += 46 + nameSize + extra + comment;
  }
  const next = view.getUint32(at, true);
  assertEquals(next === 0x02014b50, false, "There are more files than are counted");
  return files;
}
