// Bundles a program of the tests the way an app would: esbuild, with the packages as they are installed here.
import { fileURLToPath } from "node:url";
import { build, stop } from "esbuild";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The bundle's text. Paths are from this folder. */
export async function bundle(entry: string, platform: "node" | "browser"): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    absWorkingDir: ROOT,
    bundle: true,
    write: false,
    platform,
    target: platform === "node" ? "node20" : "es2022",
    format: platform === "node" ? "cjs" : "esm",
    jsx: "automatic",
    define: platform === "browser" ? { "process.env.NODE_ENV": '"development"' } : {},
    logLevel: "error",
  });
  // Its helper process would outlive the test.
  await stop();
  return outputFiles?.[0]?.text ?? "";
}
