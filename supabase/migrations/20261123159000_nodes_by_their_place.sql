-- The nodes of a version are looked up by their place in it. While a table has no statistics, as on a new installation or in
-- the first minute of a large workflow, the planner took the index of their names for as good, of which the version is the
-- first column, and read all nodes of the version for each of its tasks: a task of a graph of 2,000 nodes cost 60 ms. With the
-- name first that index answers for names alone.
alter table private.workflow_nodes drop constraint workflow_nodes_one_row_per_id;
alter table private.workflow_nodes add constraint workflow_nodes_one_row_per_id unique (node_id, version_id);
