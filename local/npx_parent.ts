// Notices that the npx which started us was ended: it does not pass SIGTERM on, so nobody would tell the stack to stop.
import process from "node:process";
import { commandLine } from "./process.ts";

/** The parent of a process, as Linux tells it; none where there is no such process. */
async function parentOf(pid: number): Promise<number | undefined> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  });
  const parent = /^PPid:\s*(\d+)/m.exec(status)?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/**
 * Calls back once the shell that npx put between itself and `deno task` is gone. Does nothing when the stack was started
 * in any other way: then the end of a parent may well be meant to leave it running.
 */
export async function onNpxEnded(ended: () => void): Promise<void> {
  const task = process.ppid;
  const shell = await parentOf(task).catch(() => undefined);
  if (shell === undefined || !/^sh -c \S*deno\b/.test((await commandLine(shell)).replaceAll("'", ""))) return;
  const timer = setInterval(async () => {
    // What cannot be told now (of a machine without a free file, say) can be told later.
    if (await parentOf(task).catch(() => shell) === shell) return;
    clearInterval(timer);
    ended();
  }, 1000);
  Deno.unrefTimer(timer);
}
