// The workflow of the demo: a graph as LangGraph exports it, taken as it is (fixture.md says how it was made).
import { fileURLToPath } from "node:url";
import { z } from "zod";
import type { Json } from "../../../shared/database.types.ts";

const Export = z.object({
  nodes: z.array(z.object({ id: z.string(), metadata: z.object({ agent_type: z.string() }).optional() })),
  edges: z.array(z.object({ source: z.string(), target: z.string() })),
});

export interface Fixture {
  /** What goes into `workflows.definition`: the export, unchanged. */
  definition: NonNullable<Json>;
  /** Nodes that are work, without the start and the end. */
  nodes: string[];
  agentTypes: string[];
  edges: number;
}

export async function loadFixture(): Promise<Fixture> {
  const path = fileURLToPath(new URL("./langgraph-export.json", import.meta.url));
  const definition: NonNullable<Json> = JSON.parse(await Deno.readTextFile(path));
  const graph = Export.parse(definition);
  const work = graph.nodes.filter(({ id }) => id !== "__start__" && id !== "__end__");
  return {
    definition,
    nodes: work.map(({ id }) => id),
    agentTypes: [...new Set(work.flatMap(({ metadata }) => metadata?.agent_type ?? []))],
    edges: graph.edges.length,
  };
}
