-- Format 1.0 of events.db: the tables of HZL 3.2.0, unchanged but for two nullable columns, and
-- ours beside them. Every statement may meet what an older file already has, and must parse in
-- SQLite 3.45, the engine of 3.2.0, which goes on reading and adding here.

create table if not exists events (
  id integer primary key autoincrement,
  event_id text not null unique,
  task_id text not null,
  type text not null,
  data text not null check (json_valid(data)),
  schema_version integer not null default 1,
  author text,
  agent_id text,
  session_id text,
  correlation_id text,
  causation_id text,
  timestamp text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  basis_seq integer,
  epoch integer
);

-- HZL 3.2.0 has five. The other three answer no question of ours and would be written with every event; its own
-- files keep them.
create index if not exists idx_events_task_id_id on events (task_id, id);
create index if not exists idx_events_timestamp on events (timestamp);

create trigger if not exists events_no_update before update on events
begin
  select raise(abort, 'events are append-only: an event cannot be changed');
end;

create trigger if not exists events_no_delete before delete on events
begin
  select raise(abort, 'events are append-only: an event cannot be deleted');
end;

-- The prune of 3.2.0 decides on its own projections and drops the two triggers above by name.
create trigger if not exists hzl_no_delete before delete on events
begin
  select raise(abort, 'this ledger is written by a newer hzl: prune with that one');
end;

create table if not exists hzl_global_meta (
  key text primary key,
  value text not null
);

create table if not exists schema_migrations (
  migration_id text primary key,
  applied_at_ms integer not null,
  checksum text not null
);

-- What the cloud made of an event; cloud_seq is null when the event was set aside.
create table event_sync (
  event_rowid integer primary key,
  cloud_seq integer unique,
  received_at text,
  device_id text
);

-- Rows that a rewind of the cloud made unsettled again, in the order they had.
create table event_resent (
  event_rowid integer primary key,
  ord integer not null unique,
  received_at text,
  device_id text
);

create table sync_state (
  key text primary key,
  value text
) without rowid;

create table quarantine (
  event_rowid integer primary key,
  event_id text not null,
  reason text not null,
  at text not null
);

create table claim_intent (
  event_id text primary key,
  task_id text not null,
  event text not null,
  created_at text not null
);

create table conflict_ack (
  event_id text not null,
  kind text not null,
  field text not null default '',
  acked_at text,
  primary key (event_id, kind, field)
) without rowid;

create table cloud_devices (
  device_id text primary key,
  name text,
  hzl_version text,
  last_seen_at text,
  acked_seq integer,
  state_hash text
) without rowid;

create table if not exists hook_outbox (
  id integer primary key autoincrement,
  hook_name text not null,
  status text not null default 'queued'
    check (status in ('queued', 'processing', 'delivered', 'failed')),
  url text not null,
  headers text not null default '{}',
  payload text not null,
  attempts integer not null default 0,
  next_attempt_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  processing_started_at text,
  delivered_at text,
  failed_at text,
  lock_token text,
  locked_by text,
  lock_expires_at text,
  last_error text,
  error_payload text,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

create index if not exists idx_hook_outbox_drain on hook_outbox (status, next_attempt_at, id);
create index if not exists idx_hook_outbox_lock on hook_outbox (status, lock_expires_at);
create index if not exists idx_hook_outbox_hook_status on hook_outbox (hook_name, status, id);

create table if not exists workflow_ops (
  op_id text primary key,
  workflow_name text not null,
  input_hash text not null,
  state text not null check (state in ('processing', 'completed', 'failed')),
  result_payload text,
  error_payload text,
  created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
);

create index if not exists idx_workflow_ops_workflow_state
  on workflow_ops (workflow_name, state, updated_at);
create index if not exists idx_workflow_ops_workflow_input
  on workflow_ops (workflow_name, input_hash);
