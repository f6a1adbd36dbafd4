// What an agent of the demo is: a function from a task's input to an output and the files that come with it. No model is
// asked: the same input always makes the same files, so that the story can be checked.
import { z } from "zod";
import type { Json } from "../../../../shared/database.types.ts";

/** What is to be built; the execution starts with it and every output passes it on. */
export const Brief = z.object({
  goal: z.string(),
  entity: z.string(),
  fields: z.array(z.object({ name: z.string(), label: z.string(), max_length: z.int() })),
  session_id: z.uuid(),
});
export type Brief = z.infer<typeof Brief>;

export interface StoredFile {
  content: string;
  version: number;
}

export interface Assignment {
  nodeId: string;
  brief: Brief;
  /** What earlier tasks found wrong. */
  findings: string[];
  /** The newest version of a file of the project. */
  read(path: string): Promise<StoredFile>;
  /** The paths of all files of the project. */
  list(): Promise<string[]>;
}

export interface Deliverable {
  file_path: string;
  language: string;
  content: string;
  /** Says which version the change was made from. */
  base_version?: number;
}

export interface Result {
  files: Deliverable[];
  findings?: string[];
  /** Said to the people in the project's chat. */
  message?: string;
}

export type Agent = (assignment: Assignment) => Promise<Result> | Result;

const Output = z.object({ brief: Brief, findings: z.array(z.string()).default([]) });

/** A task's input is the brief itself behind the start, and elsewhere the predecessors' outputs by node id. */
export function readInput(input: Json): Pick<Assignment, "brief" | "findings"> {
  const own = Brief.safeParse(input);
  if (own.success) return { brief: own.data, findings: [] };
  const outputs = Object.values(z.record(z.string(), Output).parse(input));
  const brief = outputs[0]?.brief;
  if (!brief) throw new Error("The task's input holds no brief.");
  return { brief, findings: outputs.flatMap(({ findings }) => findings) };
}

/** The singular name as a table and a path: greeting → greetings. */
export function plural(entity: string): string {
  return `${entity}s`;
}
