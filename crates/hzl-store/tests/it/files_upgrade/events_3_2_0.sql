-- An events.db as HZL 3.2.0 leaves it.
create table events (
  id integer primary key autoincrement, event_id text not null unique, task_id text not null,
  type text not null, data text not null check (json_valid(data)),
  schema_version integer not null default 1, author text, agent_id text, session_id text,
  correlation_id text, causation_id text,
  timestamp text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')));
create index idx_events_task_id on events (task_id);
create index idx_events_task_id_id on events (task_id, id);
create index idx_events_type on events (type);
create index idx_events_timestamp on events (timestamp);
create index idx_events_correlation_id on events (correlation_id);
create trigger events_no_update before update on events begin
  select raise(abort, '3.2.0 says no to update'); end;
create trigger events_no_delete before delete on events begin
  select raise(abort, '3.2.0 says no to delete'); end;
create table hzl_global_meta (key text primary key, value text not null);
create table schema_migrations (
  migration_id text primary key, applied_at_ms integer not null, checksum text not null);
insert into hzl_global_meta values ('hzl_instance_id', '01OLDINSTANCE'), ('created_at_ms', '12');
insert into events (id, event_id, task_id, type, data, author, timestamp) values
  (1, 'E1', '__project__', 'project_created', '{"name":"inbox","is_protected":true}', null,
   '2026-01-01T00:00:00.000Z'),
  (4, 'E2', 'T1', 'task_created', '{"title": "Old \u00e4",  "project":"inbox"}', 'ada',
   '2026-01-01T00:00:01.000Z'),
  (7, 'E3', 'T1', 'status_changed', '{"from":"backlog","to":"ready"}', 'ada',
   '2026-01-01T00:00:02.000Z');
