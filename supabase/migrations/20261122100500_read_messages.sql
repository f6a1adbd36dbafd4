-- Whoever may read a session may read its messages, as before; now a message says itself who that is. `private_to is null`
-- comes first: the rest is not asked for in a shared session. `coalesce` is for the planner, which takes a comparison with
-- a list for true of one message in a hundred, and would sort a whole chat for its last page.
alter policy "people can read the messages of sessions they can read" on public.chat_messages
using (
  coalesce(project_id = any ((select private.readable_project_ids())::uuid[]), false)
  and (private_to is null or private_to = (select private.user_id()) or (select private.is_admin()))
);
