-- Projections of the log, all derived, all named p_*. Times are milliseconds since 1970, UTC.

-- cursor_rowid, cursor_event_id, cursor_seq, generation: how much of the log is folded.
-- state_sum: the sum over all elements that devices compare.
create table p_meta (
  key text primary key,
  value
) without rowid;

create table p_tasks (
  id integer primary key,
  task_id text not null unique,
  title text not null,
  project text not null,
  project_identity text not null,
  status text not null,
  -- The parent as written, and the parent if the link counts.
  parent_raw text,
  parent_id text,
  description text,
  links text not null,
  tags text not null,
  priority integer not null,
  due_at text,
  due_at_ms integer,
  metadata text not null,
  stale_after_minutes integer,
  claimed_at integer,
  agent text,
  -- Whom the task is meant for; not who had it last.
  route text,
  progress integer,
  lease_until integer,
  terminal_at integer,
  created_at integer not null,
  updated_at integer not null,
  claim_id text,
  open_deps integer not null default 0,
  child_count integer not null default 0,
  checkpoint_count integer not null default 0,
  -- What a merge has to remember, as JSON.
  memory text not null,
  digest blob not null
);

-- Choosing a task is two seeks in one of these; only claimable tasks are in them.
create index p_claim on p_tasks
  (route, priority desc, due_at_ms is null, due_at_ms, created_at, task_id)
  where status = 'ready' and open_deps = 0 and child_count = 0;
create index p_claim_project on p_tasks
  (project, route, priority desc, due_at_ms is null, due_at_ms, created_at, task_id)
  where status = 'ready' and open_deps = 0 and child_count = 0;

create index p_tasks_order on p_tasks (priority desc, created_at, task_id)
  where status <> 'archived';
create index p_tasks_project on p_tasks (project, status, priority desc, created_at, task_id);
create index p_tasks_status on p_tasks (status, priority desc, created_at, task_id);
create index p_tasks_agent on p_tasks (agent, status) where agent is not null;
create index p_tasks_parent_raw on p_tasks (parent_raw) where parent_raw is not null;
create index p_tasks_parent on p_tasks (parent_id) where parent_id is not null;

-- What can be claimed, in the order of lists.
create index p_available on p_tasks (priority desc, created_at, task_id)
  where status = 'ready' and open_deps = 0 and child_count = 0;

create table p_counts (
  project text not null,
  project_identity text not null,
  status text not null,
  tasks integer not null,
  -- Of these.
  available integer not null,
  primary key (project, project_identity, status)
) without rowid;

create table p_tags (
  tag text not null,
  task_id text not null,
  primary key (task_id, tag)
) without rowid;

-- Full-text index by p_tasks.id. It keeps no text of its own.
create virtual table p_search using fts5
  (title, description, tags, content = '', contentless_delete = 1,
   tokenize = 'unicode61 remove_diacritics 2');

-- state: active, missing (names no task), cycle (would close one).
create table p_edges (
  task_id text not null,
  depends_on_id text not null,
  event_id text not null,
  position integer not null,
  received_at integer,
  state text not null,
  primary key (task_id, depends_on_id)
) without rowid;
create index p_edges_depends_on on p_edges (depends_on_id);
create index p_edges_inactive on p_edges (state) where state <> 'active';

create table p_comments (
  task_id text not null,
  at integer not null,
  event_id text not null,
  author text,
  agent_id text,
  text text not null,
  primary key (task_id, at, event_id)
) without rowid;

create table p_checkpoints (
  task_id text not null,
  at integer not null,
  event_id text not null,
  author text,
  name text not null,
  data text not null,
  primary key (task_id, at, event_id)
) without rowid;

create table p_projects (
  identity text primary key,
  name text not null,
  description text,
  is_protected integer not null,
  created_at integer not null,
  created_by text not null,
  is_deleted integer not null
) without rowid;

create table p_conflicts (
  event_id text not null,
  kind text not null,
  field text not null,
  task_id text,
  winner_event_id text,
  losing_value text not null,
  winning_value text not null,
  at integer,
  primary key (event_id, kind, field)
) without rowid;
create index p_conflicts_task on p_conflicts (task_id, kind) where task_id is not null;
