-- Format 1.1: a checksum of every event, written in its transaction. Whoever does not know of it (HZL 3.2.0)
-- adds events without one, and nothing else happens.
create table if not exists event_sum (
  event_rowid integer primary key,
  sum integer not null
);
