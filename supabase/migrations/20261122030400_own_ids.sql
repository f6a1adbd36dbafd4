-- The database gives out the ids, people do not choose them. An id is the name of more than its row: a project's starts
-- the names of its files and channels, a session's names its channel. Whoever could insert a row under the id of one that
-- was deleted would inherit what is left of it; and a refused duplicate would tell that an id is taken.
revoke insert (id) on public.projects, public.workflows, public.chat_sessions, public.chat_messages from authenticated;
