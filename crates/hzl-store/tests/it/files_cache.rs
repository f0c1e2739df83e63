//! A cache that is of another version, damaged, or no database.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hzl_store::Access;
use hzl_store::Note;
use hzl_store::StorePaths;
use hzl_store::schema::cache::PROJECTION_VERSION;
use rusqlite::Connection;

use crate::files::TABLES;
use crate::files::a_new_cache;
use crate::files::append;
use crate::files::directory;
use crate::files::open;
use crate::files::paths;
use crate::files::text;

const MARK: &str = "insert into p_meta values ('mark', 1)";
const MARKS: &str = "select count(*) from p_meta";

fn marked(directory: &Path) -> StorePaths {
    let paths = paths(directory);
    let files = open(&paths, Access::ReadWrite).unwrap();
    append(&files.events, "E1");
    files.cache.execute_batch(MARK).unwrap();
    assert!(hzl_store::checkpoint::now(&files.cache).unwrap());
    paths
}

#[test]
fn a_current_cache_is_kept() {
    let directory = directory();
    let paths = marked(directory.path());
    assert_eq!(
        text(&open(&paths, Access::Existing).unwrap().cache, MARKS),
        "1"
    );
}

#[test]
fn projections_of_another_version_are_dropped_under_those_who_read_them() {
    let directory = directory();
    let paths = marked(directory.path());
    let reader = Connection::open(&paths.cache).unwrap();
    reader
        .execute_batch(
            "create table others (x); insert into others values (1);
             create table p_older (x); create index p_older_index on p_older (x);
             create virtual table p_older_search using fts5 (title);
             insert into p_older_search values ('one');
             create view p_older_view as select * from p_older;
             pragma user_version = 99;
             begin; select * from p_meta",
        )
        .unwrap();
    let files = open(&paths, Access::Existing).unwrap();
    assert_eq!(text(&reader, MARKS), "1", "the snapshot of a reader stays");
    reader.execute_batch("commit").unwrap();
    for conn in [&files.cache, &reader] {
        assert_eq!(text(conn, MARKS), "0");
        assert_eq!(
            text(conn, "pragma user_version"),
            PROJECTION_VERSION.to_string()
        );
        assert_eq!(
            text(conn, TABLES),
            format!("others,{}", text(&a_new_cache(), TABLES))
        );
    }
    assert!(files.notes.is_empty(), "{:?}", files.notes);
}

#[test]
fn a_deleted_cache_is_made_again() {
    let directory = directory();
    let paths = marked(directory.path());
    fs::remove_file(&paths.cache).unwrap();
    let files = open(&paths, Access::Existing).unwrap();
    assert_eq!(text(&files.cache, MARKS), "0");
    assert_eq!(text(&files.events, "select count(*) from events"), "1");
}

#[test]
fn what_is_no_database_is_moved_aside_each_time() {
    let directory = directory();
    let paths = marked(directory.path());
    for name in ["cache.db.corrupt-1", "cache.db.corrupt-1-2"] {
        fs::remove_file(directory.path().join("cache.db-wal")).unwrap();
        fs::write(&paths.cache, "somebody's notes\n".repeat(400)).unwrap();
        let files = open(&paths, Access::Existing).unwrap();
        assert_eq!(text(&files.cache, MARKS), "0");
        let aside = fs::canonicalize(directory.path()).unwrap().join(name);
        assert!(
            fs::read_to_string(&aside)
                .unwrap()
                .starts_with("somebody's notes")
        );
        assert_eq!(files.notes, [Note::CacheMovedAside(aside)]);
    }
}

/// Overwrites the pages of a cache that nobody has open, from the byte `from` on.
fn damage(paths: &StorePaths, from: usize, to: usize) {
    let mut bytes = fs::read(&paths.cache).unwrap();
    bytes[from..to].fill(0x5a);
    fs::write(&paths.cache, bytes).unwrap();
}

fn assert_whole_and_empty(conn: &Connection) {
    assert_eq!(text(conn, MARKS), "0");
    assert_eq!(text(conn, "pragma integrity_check"), "ok");
    assert_eq!(text(conn, "pragma journal_mode"), "wal");
    assert_eq!(text(conn, TABLES), text(&a_new_cache(), TABLES));
}

#[test]
fn a_cache_with_a_damaged_schema_is_emptied_in_place() {
    let directory = directory();
    let paths = marked(directory.path());
    damage(&paths, 100, 4096);
    let inode = fs::metadata(&paths.cache).unwrap().ino();
    let files = open(&paths, Access::Existing).unwrap();
    assert_whole_and_empty(&files.cache);
    assert_eq!(files.notes, [Note::CacheReset]);
    assert_eq!(fs::metadata(&paths.cache).unwrap().ino(), inode);
    drop(files);
    assert_eq!(open(&paths, Access::Existing).unwrap().notes, []);
}

#[test]
fn a_cache_found_damaged_later_is_emptied_by_who_finds_it() {
    let directory = directory();
    let paths = marked(directory.path());
    let root = "select rootpage from sqlite_master where name = 'p_meta'";
    let root: usize = text(&Connection::open(&paths.cache).unwrap(), root)
        .parse()
        .unwrap();
    damage(&paths, (root - 1) * 4096, root * 4096);
    let mut files = open(&paths, Access::Existing).unwrap();
    assert!(files.cache.query_row(MARKS, [], |_| Ok(())).is_err());
    let other = open(&paths, Access::Existing).unwrap();
    files.reset_cache().unwrap();
    assert_whole_and_empty(&files.cache);
    assert_whole_and_empty(&other.cache);
    assert_eq!(files.notes, [Note::CacheReset]);
}
