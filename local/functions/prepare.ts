// Fetches and compiles what functions import before their first request needs it: a cold start then reads local files only.
import type { FunctionSource } from "./process.ts";

/** The flag that tells Deno where a function's imports are looked up. */
export function configFlags(config: string | undefined): string[] {
  if (config === undefined) return ["--no-config"];
  return [config.endsWith("import_map.json") ? "--import-map" : "--config", config];
}

/** Fills Deno's cache for some functions; what goes wrong here is said again, and better, when the function starts. */
export async function prepareFunctions(sources: FunctionSource[]): Promise<void> {
  const configs = new Set(sources.map(({ config }) => config));
  for (const config of configs) {
    const entrypoints = sources.filter((source) => source.config === config).map(({ entrypoint }) => entrypoint);
    const args = ["cache", "--quiet", "--no-lock", ...configFlags(config), ...entrypoints];
    await new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: "null", stderr: "null" }).output();
  }
}
