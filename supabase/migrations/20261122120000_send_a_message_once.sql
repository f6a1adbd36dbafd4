-- A message that is sent again because its answer was lost must not be written twice: its sender names it once, with a
-- key that is theirs alone. A second insert under the same name is refused as a duplicate (23505), and the sender reads
-- the stored row; the same key of another person, or in another session, names another message and meets nothing.
alter table public.chat_messages add column idempotency_key uuid;
grant insert (idempotency_key) on public.chat_messages to authenticated;
-- Without a person there is nobody to tell apart: what an agent says is reported with its task, once.
create unique index chat_messages_one_per_idempotency_key on public.chat_messages (session_id, user_id, idempotency_key)
where idempotency_key is not null;
