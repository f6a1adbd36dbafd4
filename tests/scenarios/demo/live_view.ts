// The view for a terminal: steps scroll by as lines, and below them a table of the tasks is redrawn in place.
import { stripVTControlCharacters } from "node:util";
import { styles } from "./styles.ts";
import { doneLine, skippedLine, type View } from "./view.ts";
import type { TaskRow } from "./watch.ts";

const { bold, dim, red, green, cyan } = styles;
const SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const REDRAW_MS = 100;
const BAR_WIDTH = 30;

/** A row of the table: sign, columns that do not move, files last. */
function taskLine({ node, agentType, status, files, milliseconds }: TaskRow, width: number, spinner: string): string {
  const signs: Record<string, string> = { completed: green("✓"), running: cyan(spinner), failed: red("✗") };
  const time = milliseconds === null ? "" : `${milliseconds} ms`;
  const text = `${node.padEnd(width)}  ${agentType.padEnd(10)}  ${status.padEnd(9)}  ${time.padStart(7)}  ${
    files.join(", ")
  }`;
  const isLit = status === "completed" || status === "running" || status === "failed";
  return `${signs[status] ?? dim("·")} ${isLit ? text : dim(text)}`;
}

function bar(rows: TaskRow[]): string {
  const done = rows.filter(({ status }) => status === "completed").length;
  const filled = rows.length === 0 ? 0 : Math.round(BAR_WIDTH * done / rows.length);
  return `${green("█".repeat(filled))}${dim("░".repeat(BAR_WIDTH - filled))} ${done} of ${rows.length} tasks`;
}

/** Cuts a line that would wrap and so break the redraw; styles go with the part that is cut. */
function fit(line: string, columns: number): string {
  const text = stripVTControlCharacters(line);
  return text.length < columns ? line : `${text.slice(0, Math.max(0, columns - 2))}…`;
}

export function liveView(): View {
  const encoder = new TextEncoder();
  const active = new Set<string>();
  let rows: TaskRow[] = [];
  let drawn = 0;
  let tick = 0;
  let isClosed = false;

  /** A terminal that was closed can neither be measured nor written to: nothing is drawn any more, the rest goes on. */
  function whileOpen(write: () => void): void {
    try {
      write();
    } catch {
      isClosed = true;
    }
  }

  const write = (text: string) => whileOpen(() => void Deno.stdout.writeSync(encoder.encode(text)));

  function block(): string[] {
    const spinner = SPINNER[tick % SPINNER.length] ?? "";
    const lines = [...active].map((step) => `${cyan(spinner)} ${step} …`);
    if (rows.length === 0) return lines;
    const width = Math.max(...rows.map(({ node }) => node.length), 4);
    const head = `  ${"task".padEnd(width)}  ${"agent".padEnd(10)}  ${"state".padEnd(9)}  ${"time".padStart(7)}  files`;
    return ["", bold(head), ...rows.map((row) => taskLine(row, width, spinner)), bar(rows), ...lines];
  }

  /** Takes the old block away, prints what stays, and draws the block anew, in one write so that nothing flickers. */
  function draw(staying: string[] = [], next = block()): void {
    if (isClosed) return;
    const up = drawn > 0 ? `\x1b[${drawn}A\r` : "\r";
    whileOpen(() => {
      const { columns } = Deno.consoleSize();
      const lines = [...staying, ...next.map((line) => fit(line, columns))];
      write(`${up}\x1b[0J${lines.map((line) => `${line}\n`).join("")}`);
    });
    drawn = next.length;
  }

  write("\x1b[?25l");
  const timer = setInterval(() => {
    tick++;
    draw();
  }, REDRAW_MS);

  return {
    begin(step) {
      active.add(step);
      draw();
    },
    done(step, result) {
      active.delete(step);
      draw([doneLine(step, result)]);
    },
    skipped(step, reason) {
      draw([skippedLine(step, reason)]);
    },
    tasks(now) {
      rows = now;
      draw();
    },
    say: (line) => draw([line]),
    close() {
      if (isClosed) return;
      clearInterval(timer);
      // The table stays on the screen as the last picture; nothing is running in it any more.
      active.clear();
      draw();
      isClosed = true;
      write("\x1b[?25h");
    },
  };
}

/** Whether a table can be redrawn there: a terminal, not a dumb one, with room for it. */
export function canRedraw(): boolean {
  if (!Deno.stdout.isTerminal() || Deno.env.get("TERM") === "dumb") return false;
  const { columns, rows } = Deno.consoleSize();
  return columns >= 60 && rows >= 18;
}
