// The debugger: mends what the testers found, as the next version of the same file, and says what it did.
import type { Agent } from "./agent.ts";
import { fieldLine } from "./backend.ts";

export const mender: Agent = async ({ brief, findings, read }) => {
  const { content, version } = await read("src/api.ts");
  const mended = brief.fields.reduce(
    (text, field) => text.replace(fieldLine(field, false), fieldLine(field, true)),
    content,
  );
  const notes = `# Mended\n\n${findings.map((finding) => `- ${finding}`).join("\n") || "Nothing was found."}\n`;
  return {
    files: [
      { file_path: "src/api.ts", language: "typescript", content: mended, base_version: version },
      { file_path: "docs/mended.md", language: "markdown", content: notes },
    ],
    message: `Mended ${findings.length} finding${findings.length === 1 ? "" : "s"} in src/api.ts.`,
  };
};
