// Notices changed source files, so that the next request gets a process that has read them.
import { relative, sep } from "node:path";
import { messageOf } from "../user_error.ts";

export interface Watch {
  /** Why nothing is noticed, in a sentence. */
  off?: string;
  stop(): void;
}

/**
 * Watches the functions' folder and the folders they import from.
 *
 * @param changed gets the function whose own file changed, or nothing when the file may belong to any of them
 */
export function watchSources(root: string, shared: string[], changed: (name?: string) => void): Watch {
  const folders = [root, ...shared].filter((folder) => {
    try {
      return Deno.statSync(folder).isDirectory;
    } catch {
      return false;
    }
  });
  if (folders.length === 0) return { stop() {} };
  let watcher: Deno.FsWatcher;
  try {
    watcher = Deno.watchFs(folders, { recursive: true });
  } catch (thrown) {
    // Linux has a number of watches, and of those who watch, for each person; editors take many.
    const reason = messageOf(thrown).replace(/\.$/, "");
    return {
      off: `Functions keep running the code they started with: files cannot be watched (${reason}).`,
      stop() {},
    };
  }
  (async () => {
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || kind === "any") continue;
      for (const path of paths) {
        if (/(^|[\\/])(node_modules|\.git)[\\/]|[~]$|\.sw.$/.test(path)) continue;
        const [name, ...rest] = relative(root, path).split(sep);
        const isOwn = rest.length > 0 && /^[A-Za-z]/.test(name);
        changed(isOwn ? name : undefined);
      }
    }
  })();
  return { stop: () => watcher.close() };
}
