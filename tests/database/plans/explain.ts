// Plans as PostgreSQL tells them: of one statement, and of everything that a function runs inside.
import postgres from "postgres";
import type { TestDatabase } from "../../support/database.ts";

export interface PlanNode {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  "Actual Loops": number;
  "Actual Rows": number;
  "Rows Removed by Filter"?: number;
  "Shared Hit Blocks": number;
  "Shared Read Blocks": number;
  Plans?: PlanNode[];
}

export interface StatementPlan {
  "Query Text": string;
  Plan: PlanNode;
}

/** A node and all below it. */
export function nodesOf(plan: PlanNode): PlanNode[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

/** A connection of a worker, and a way to hear the plan of every statement that ran inside of a call. */
export async function connectExplained(db: TestDatabase) {
  let plans: StatementPlan[] = [];
  const sql = postgres(db.url, {
    max: 1,
    onnotice({ message = "" }) {
      const json = /^duration: [\d.]+ ms\s+plan:\n(\{[\s\S]*\})/.exec(message)?.[1];
      if (json) plans.push(JSON.parse(json));
    },
  });
  await sql.unsafe(`
    load 'auto_explain';
    set auto_explain.log_min_duration = 0;
    set auto_explain.log_nested_statements = on;
    set auto_explain.log_analyze = on;
    set auto_explain.log_buffers = on;
    set auto_explain.log_format = json;
    set auto_explain.log_level = notice;
    set role service_role`).simple();
  return {
    sql,
    async plansInside(call: () => Promise<unknown>): Promise<StatementPlan[]> {
      plans = [];
      await call();
      return plans;
    },
    [Symbol.asyncDispose]: () => sql.end(),
  };
}

/** The plan that a read has after its first runs, without figures, as the person. */
export async function genericPlan(db: TestDatabase, person: string, query: string, parameter: string): Promise<string> {
  const rows = await db.as({ user: person }, async (tx) => {
    await tx.unsafe("set local plan_cache_mode = force_generic_plan");
    await tx.unsafe(`prepare read (uuid) as ${query}`);
    const explained = await tx.unsafe(`explain (costs off) execute read ('${parameter}')`);
    await tx.unsafe("deallocate read");
    return explained;
  });
  return rows.map((row) => row["QUERY PLAN"]).join("\n") + "\n";
}
