// Prints measures as one Markdown table: a row per workload and number of clients, a column per contender.
import type { Measure } from "./measure.ts";

const number = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

const cell = (measure: Measure | undefined) =>
  measure ? `${number.format(measure.figure)} (${measure.ratio.toFixed(2)})` : "";

export function markdownTable(measures: Measure[]): string {
  const contenders = [...new Set(measures.map(({ contender }) => contender))];
  const lines = [...new Set(measures.map(({ workload, clients, unit }) => JSON.stringify([workload, clients, unit])))];
  const rows = lines.map((line) => {
    const [workload, clients, unit] = JSON.parse(line);
    const cells = contenders.map((contender) =>
      cell(measures.find((m) => m.workload === workload && m.clients === clients && m.contender === contender))
    );
    return [workload, String(clients), unit, ...cells];
  });
  const head = ["workload", "clients", "unit", ...contenders];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const print = (row: string[]) => `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [print(head), rule, ...rows.map(print)].join("\n");
}
