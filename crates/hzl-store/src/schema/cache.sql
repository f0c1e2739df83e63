-- The projections. Every table and view here is named p_*; the version is PROJECTION_VERSION in
-- cache.rs, to be raised with any change of what is stored here or of how it is derived. Must
-- parse in SQLite 3.45: an HZL 3.2.0 run on this store adds its own tables to the same file.

create table p_meta (
  key text primary key,
  value
) without rowid;
