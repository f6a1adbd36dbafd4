// What a run of a random graph stands on: its project, its published graphs and their order; and how a failed one is told.
import postgres from "postgres";
import { assert } from "@std/assert";
import { refusalOf, type TestDatabase } from "../../support/database.ts";
import { createWorkflow, type Project } from "../../support/factories.ts";
import type { State } from "../../support/model/fold.ts";
import { describe, type Graph, type Json, shapeOf } from "../../support/model/graph.ts";

/** A published workflow with that definition. */
export async function publishGraph(db: TestDatabase, project: Project, definition: Json): Promise<string> {
  const workflow_id = await createWorkflow(db, project, definition);
  await db.rpc(project.owner.actor, "publish_workflow", { workflow_id });
  return workflow_id;
}

/** A project for one run, of people that all runs share. */
export async function createOwnProject(db: TestDatabase, people: Project): Promise<string> {
  const [project] = await db.sql<{ id: string }[]>`
    insert into public.projects (name, owner_id) values ('A run', ${people.owner.id}) returning id`;
  await db.sql`
    insert into public.project_collaborators (project_id, user_id, role)
    values (${project?.id ?? ""}, ${people.editor.id}, 'editor')`;
  return project?.id ?? "";
}

/** The nodes' places in the version's topological order, which must be one. */
export async function orderOf(db: TestDatabase, workflow_id: string, graph: Graph): Promise<Map<string, number>> {
  const places = await db.sql<{ node_id: string; node_index: number }[]>`
    select n.node_id, n.node_index from private.workflow_nodes as n
    join public.workflow_versions as v on v.id = n.version_id where v.workflow_id = ${workflow_id}`;
  const order = new Map(places.map((place) => [place.node_id, place.node_index]));
  for (const [first, second] of shapeOf(graph).before) {
    assert((order.get(first) ?? 0) < (order.get(second) ?? 0), `${first} must stand before ${second} in the order`);
  }
  return order;
}

/** A failure of a run as a person would want to read it. */
export function explain(error: unknown, graph: Graph, input: State, history: string[]): Error {
  const refusal = error instanceof postgres.PostgresError ? JSON.stringify(refusalOf(error)) : "";
  const message = error instanceof Error ? error.message : String(error);
  return new Error(
    `${describe(graph)}\ninput ${JSON.stringify(input)}\n${history.join("\n")}\n\n${message}\n${refusal}`,
    {
      cause: error,
    },
  );
}
