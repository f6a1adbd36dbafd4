// Hostile forms: cut off, wrongly bounded, in the wrong order, with names that lead elsewhere and types that are lies.
import fc from "fast-check";
import type { HostileRequest, Target } from "./requests.ts";
import { badId, badPath, oddPath, oddText } from "./values.ts";

const BOUNDARY = "----hostile";
const TYPE = { "content-type": `multipart/form-data; boundary=${BOUNDARY}` };

interface Part {
  disposition: string;
  type?: string;
  value: string;
}

const field = (name: string, value: string): Part => ({ disposition: `form-data; name="${name}"`, value });
const file = (value = "text", fileName = "a.txt", type = "text/plain"): Part => ({
  disposition: `form-data; name="file"; filename="${fileName}"`,
  type,
  value,
});

const END = `--${BOUNDARY}--\r\n`;
const written = (parts: Part[]) =>
  parts.map(({ disposition, type, value }) =>
    `--${BOUNDARY}\r\ncontent-disposition: ${disposition}\r\n${type === undefined ? "" : `content-type: ${type}\r\n`}` +
    `\r\n${value}\r\n`
  ).join("") + END;

/** Text as it may stand in a part's header. */
const inHeader = (text: string) => text.replaceAll(/[\r\n"\\\0]/g, "_").slice(0, 3000);

/** Whole forms that are wrong in themselves. */
const wrongForms = (project: string): fc.Arbitrary<Part[]> => {
  const id = field("project_id", project);
  return fc.oneof(
    fc.constantFrom<Part[]>(
      [],
      [id],
      [file()],
      [file(), id],
      [id, file(), file()],
      [id, file(), field("path", "late")],
      [id, { ...file(), disposition: 'form-data; name="other"; filename="a"' }],
      [id, { ...file(), disposition: 'form-data; name="file"' }],
      [id, { ...file(), disposition: 'attachment; name="file"; filename="a"' }],
      [id, { ...file(), disposition: "form-data" }],
      [id, { ...file(), disposition: 'form-data; name="file"; filename=""' }],
      [id, field("path", "x".repeat(5000)), file()],
      [id, ...Array.from({ length: 12 }, (_, index) => field(`f${index}`, "x")), file()],
      [id, ...Array.from({ length: 30 }, () => ({ disposition: "attachment", value: "" })), file()],
      [id, file("only text", "a.png", "image/png")],
      [id, file("\u0000\u0001\u0002 not text", "a.txt", "text/plain")],
      [id, file("GIF89a", "a.png", "application/pdf")],
      [id, file("text", "x".repeat(1100))],
    ),
    badId.map((text) => [field("project_id", text), file()]),
    fc.integer({ min: 1025, max: 4000 }).map((length) => [id, field("path", "p".repeat(length)), file()]),
  );
};

export function formRequests(
  { slug, operation: { method }, ids, badCredentials }: Target,
): fc.Arbitrary<HostileRequest>[] {
  const base = { method, path: slug, headers: TYPE, mustFail: true };
  const mighty = fc.constantFrom("owner" as const, "worker" as const);
  const project = fc.constant(null).map(() => ids("project_id"));
  const whole = project.map((id) => written([field("project_id", id), file("some text in it")]));
  return [
    fc.record({ sender: mighty, body: project.chain(wrongForms).map(written) })
      .map((given) => ({ kind: "wrong form", ...base, ...given })),
    // Without its last mark a form has not ended; what stands behind the mark is nobody's.
    fc.record({ sender: mighty, body: whole, share: fc.double({ min: 0, max: 1, noNaN: true }) })
      .map(({ sender, body, share }) => ({
        kind: "truncated form",
        ...base,
        sender,
        body: body.slice(0, Math.floor(share * (body.length - 5))),
      })),
    fc.record({
      sender: mighty,
      body: whole,
      type: fc.constantFrom(
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary=""',
        "multipart/form-data; boundary=----hostilE",
        "multipart/form-data; boundary=" + "x".repeat(3000),
        "multipart/form-data; charset=utf-16; boundary=-",
        "multipart/mixed; boundary=----hostile",
        "application/json",
        "application/x-www-form-urlencoded",
        "text/plain",
      ),
    }).map(({ type, ...given }) => ({ kind: "wrong boundary", ...base, ...given, headers: { "content-type": type } })),
    fc.record({ sender: mighty, body: fc.uint8Array({ maxLength: 2000 }) })
      .map(({ sender, body }) => ({ kind: "noise", ...base, sender, body: new Uint8Array(body) })),
    // Strange names for a file of a project that does not exist.
    fc.record({
      sender: fc.constantFrom("owner" as const, "worker" as const, "stranger" as const),
      id: fc.uuid(),
      fileName: fc.oneof(badPath, oddPath, oddText).map(inHeader),
      type: fc.oneof(
        fc.constantFrom("text/plain", "image/svg+xml", "a/b", "/", "x".repeat(300)),
        oddText.map(inHeader),
      ),
      path: fc.oneof(badPath, oddPath, oddText).map((text) => text.replaceAll("\r\n--", "")),
    }).map(({ sender, id, fileName, type, path }) => ({
      kind: "strange form",
      ...base,
      sender,
      body: written([field("project_id", id), field("path", path), file("text", fileName, type)]),
      mustFail: true,
    })),
    fc.record({ body: whole, number: fc.nat(badCredentials - 1) }).map(({ body, number }) => ({
      kind: "bad credentials",
      ...base,
      body,
      sender: `bad credentials ${number}` as const,
    })),
  ];
}
