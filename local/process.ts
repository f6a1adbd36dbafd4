// What the operating system knows about other processes: is one alive, is it the one we mean, end it and wait.
import process from "node:process";

/** The command line of a process, "" when there is none (a zombie has none either). */
export async function commandLine(pid: number): Promise<string> {
  if (Deno.build.os === "linux") {
    const line = await Deno.readTextFile(`/proc/${pid}/cmdline`).catch(() => "");
    return line.replaceAll("\0", " ").trim();
  }
  const ps = await new Deno.Command("ps", { args: ["-o", "command=", "-p", String(pid)], stderr: "null" }).output();
  return new TextDecoder().decode(ps.stdout).trim();
}

/** Whether a process with this id runs, and its command line contains `needle`: ids are reused, names are not. */
export async function isRunning(pid: number, needle = ""): Promise<boolean> {
  const line = Number.isInteger(pid) && pid > 1 ? await commandLine(pid) : "";
  return line !== "" && line.includes(needle);
}

/** Sends a signal; a process that is already gone is no failure. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (thrown) {
    if ((thrown as { code?: string }).code !== "ESRCH") throw thrown;
  }
}

/** Waits until the process is gone; answers false when it outlived the patience (milliseconds). */
export async function waitUntilGone(pid: number, patience: number, needle = ""): Promise<boolean> {
  const deadline = Date.now() + patience;
  while (await isRunning(pid, needle)) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return true;
}
