//! Opening new and current stores.

use hzl_store::Access;
use hzl_store::Error;
use hzl_store::open::Home;
use hzl_store::schema::cache::PROJECTION_VERSION;

use crate::files::NOW_MS;
use crate::files::append;
use crate::files::directory;
use crate::files::open;
use crate::files::paths;
use crate::files::text;

#[test]
fn a_new_store_has_its_tables_and_its_names() {
    let directory = directory();
    let paths = paths(&directory.path().join("deep/er"));
    let files = open(&paths, Access::ReadWrite).unwrap();
    assert_eq!(text(&files.events, "pragma user_version"), "1001");
    assert_eq!(
        text(&files.cache, "pragma user_version"),
        PROJECTION_VERSION.to_string()
    );
    let meta = "select group_concat(key || '=' || value) from
        (select key, value from hzl_global_meta order by key)";
    let expected = format!("created_at_ms={NOW_MS},hzl_instance_id=01ID{:022}", 0);
    assert_eq!(text(&files.events, meta), expected);
    let device = "select value from sync_state where key = 'device_id'";
    assert_eq!(text(&files.events, device), format!("01ID{:022}", 1));
    assert_eq!(
        (files.events_home, files.cache_home),
        (Home::File, Home::File)
    );
    assert!(files.notes.is_empty(), "{:?}", files.notes);
}

#[test]
fn connections_are_durable_private_and_suspicious() {
    let directory = directory();
    let files = open(&paths(directory.path()), Access::ReadWrite).unwrap();
    assert_eq!(text(&files.events, "pragma synchronous"), "2");
    assert_eq!(text(&files.cache, "pragma synchronous"), "1");
    for conn in [&files.events, &files.cache] {
        assert_eq!(text(conn, "pragma journal_mode"), "wal");
        assert_eq!(text(conn, "pragma trusted_schema"), "0");
        assert_eq!(text(conn, "pragma cell_size_check"), "1");
        assert_eq!(text(conn, "pragma wal_autocheckpoint"), "0");
        let attach = conn
            .execute_batch("attach ':memory:' as other")
            .unwrap_err();
        assert!(attach.to_string().contains("too many attached"), "{attach}");
        let schema = conn.execute_batch("pragma writable_schema = on; delete from sqlite_master");
        assert!(schema.is_err(), "defensive mode is on");
    }
}

#[test]
fn opening_again_changes_nothing() {
    let directory = directory();
    let paths = paths(directory.path());
    let first = open(&paths, Access::ReadWrite).unwrap();
    append(&first.events, "E1");
    drop(first);
    let before = std::fs::read(paths.events.with_file_name("events.db-wal")).unwrap();
    let again = open(&paths, Access::ReadWrite).unwrap();
    assert_eq!(text(&again.events, "select count(*) from events"), "1");
    drop(again);
    let after = std::fs::read(paths.events.with_file_name("events.db-wal")).unwrap();
    assert_eq!(before, after);
}

#[test]
fn an_existing_store_is_not_made_up() {
    let directory = directory();
    let paths = paths(&directory.path().join("none"));
    for access in [Access::Existing, Access::ReadOnly] {
        let error = open(&paths, access).unwrap_err();
        assert!(matches!(error, Error::Missing { .. }), "{error:?}");
    }
    assert!(!directory.path().join("none").exists());
}

#[test]
fn a_newer_major_format_is_refused_and_a_newer_minor_one_is_not() {
    let directory = directory();
    let paths = paths(directory.path());
    let files = open(&paths, Access::ReadWrite).unwrap();
    files
        .events
        .execute_batch("pragma user_version = 1007")
        .unwrap();
    assert_eq!(
        text(
            &open(&paths, Access::Existing).unwrap().events,
            "pragma user_version"
        ),
        "1007"
    );
    files
        .events
        .execute_batch("pragma user_version = 2003")
        .unwrap();
    for access in [Access::ReadWrite, Access::ReadOnly] {
        let error = open(&paths, access).unwrap_err();
        assert!(matches!(error, Error::NewerFormat { .. }), "{error:?}");
        assert!(
            error
                .to_string()
                .ends_with("has format 2.3, this hzl knows formats up to 1.1")
        );
    }
}

#[test]
fn events_cannot_be_changed_or_deleted() {
    let directory = directory();
    let files = open(&paths(directory.path()), Access::ReadWrite).unwrap();
    append(&files.events, "E1");
    assert!(
        files
            .events
            .execute_batch("update events set type = 'y'")
            .is_err()
    );
    assert!(files.events.execute_batch("delete from events").is_err());
    files
        .events
        .execute_batch("drop trigger events_no_update; drop trigger events_no_delete")
        .unwrap();
    let error = files
        .events
        .execute_batch("delete from events")
        .unwrap_err();
    assert!(error.to_string().contains("newer hzl"), "{error}");
}
