-- Visitors of all shares take turns at two of a function's connections. While a project was being deleted, up to eight
-- seconds, whoever opened its shares waited for that, and everybody else's visitors waited for them: half a dozen requests
-- without an account, again and again, kept all shares shut. Another visitor holds a share for milliseconds.

alter function private.open_share(text) set lock_timeout = '500ms';
alter function private.return_download(uuid) set lock_timeout = '500ms';
