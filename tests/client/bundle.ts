// Bundles a program of the tests the way an app would: esbuild, with the packages as they are installed here.
import { build, stop } from "esbuild";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The bundle's text. Paths are from this folder. */
export async function bundle(entry: string, platform: "node" | "browser"): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [new URL(entry, import.meta.url).pathname],
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
