-- A cache.db as HZL 3.2.0 leaves it, with the tables that matter to an upgrade.
create table tasks_current (task_id text primary key, title text not null);
create index idx_tasks_current_title on tasks_current (title);
create virtual table task_search using fts5 (task_id unindexed, title, description, tags);
create table hzl_local_meta (key text primary key, value text not null);
create table hook_outbox (
  id integer primary key autoincrement, hook_name text not null,
  status text not null default 'queued', url text not null,
  headers text not null default '{}', payload text not null, attempts integer not null default 0,
  next_attempt_at text not null, processing_started_at text, delivered_at text, failed_at text,
  lock_token text, locked_by text, lock_expires_at text, last_error text, error_payload text,
  created_at text not null, updated_at text not null, a_column_of_later integer);
create table workflow_ops (
  op_id text primary key, workflow_name text not null, input_hash text not null,
  state text not null, result_payload text, error_payload text, created_at text not null,
  updated_at text not null);
insert into tasks_current values ('T1', 'Old');
insert into task_search values ('T1', 'Old', null, '');
insert into hzl_local_meta values ('device_id', '01OLDDEVICE'), ('schema_version', '5');
insert into hook_outbox (id, hook_name, url, payload, next_attempt_at, created_at, updated_at)
  values (4, 'on_done', 'http://h/1', '{"n":1}', 'n', '2026-01-01T00:00:00.000Z', 'u');
insert into hook_outbox (id, hook_name, status, url, headers, payload, attempts, next_attempt_at,
                         last_error, created_at, updated_at)
  values (7, 'on_done', 'failed', 'http://h/2', '{"a":"b"}', '{"n":2}', 3, 'n', 'gone',
          '2026-01-02T00:00:00.000Z', 'u');
insert into workflow_ops values ('op1', 'start', 'hash', 'completed', '{"ok":true}', null, 'c', 'u');
