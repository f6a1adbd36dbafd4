// What a run shows: a line per step and, depending on where it goes, a live table or a line per change of a task.
import { styles } from "./styles.ts";
import type { TaskRow } from "./watch.ts";

export interface View {
  begin(step: string): void;
  done(step: string, result: string): void;
  skipped(step: string, reason: string): void;
  tasks(rows: TaskRow[]): void;
  /** A line of its own, below everything so far. */
  say(line: string): void;
  /** Leaves the terminal as it was found; what comes after it is not shown. */
  close(): void;
}

const { green, yellow, dim } = styles;

export function doneLine(step: string, result: string): string {
  return `${green("✓")} ${step}: ${result}`;
}

export function skippedLine(step: string, reason: string): string {
  return `${yellow("-")} ${step}: skipped, ${reason}`;
}

/** Lines only, for pipes, logs and terminals that cannot redraw. */
export function plainView(print: (line: string) => void): View {
  const seen = new Map<string, string>();
  let isClosed = false;
  const write = (line: string) => {
    if (!isClosed) print(line);
  };
  return {
    begin: () => {},
    done: (step, result) => write(doneLine(step, result)),
    skipped: (step, reason) => write(skippedLine(step, reason)),
    tasks(rows) {
      for (const { node, agentType, status, files } of rows) {
        if (seen.get(node) === status) continue;
        seen.set(node, status);
        if (status === "blocked" || status === "pending") continue;
        const detail = status === "completed" ? `: ${files.join(", ")}` : "";
        write(dim(`  ${agentType} ${status} ${node}${detail}`));
      }
    },
    say: write,
    close() {
      isClosed = true;
    },
  };
}
