// The usual reads of a client, and the same rows asked for by a worker, whom no policy filters.
import type { Reader } from "./world.ts";

export interface Read {
  name: string;
  /** As the person; policies decide what comes. */
  person: string;
  /** As a worker, with the filter that policies would have been. */
  worker: string;
  parameter(reader: Reader): string;
}

const same = (name: string, query: string, parameter: Read["parameter"]): Read => ({
  name,
  person: query,
  worker: query,
  parameter,
});

export const READS: Read[] = [
  {
    name: "my projects",
    // The parameter is there for the worker's sake.
    person: "select p.* from public.projects as p where $1::uuid is not null order by p.created_at desc",
    worker: `
      select p.* from public.projects as p
      where p.owner_id = $1 or p.id in (select c.project_id from public.project_collaborators as c where c.user_id = $1)
      order by p.created_at desc`,
    parameter: ({ id }) => id,
  },
  same(
    "tasks of an execution",
    "select t.* from public.agent_tasks as t where t.workflow_execution_id = $1 order by t.node_index",
    ({ execution_id }) => execution_id,
  ),
  same(
    "artifacts of a project",
    `select a.id, a.name, a.file_path, a.language, a.version, a.created_at from public.code_artifacts as a
     where a.project_id = $1 and a.is_active order by a.created_at desc limit 50`,
    ({ project_id }) => project_id,
  ),
  same(
    "latest messages",
    "select m.* from public.chat_messages as m where m.session_id = $1 order by m.created_at desc, m.id desc limit 50",
    ({ session_id }) => session_id,
  ),
];
