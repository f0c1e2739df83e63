//! Who owns the files and who else may read them.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::chown;

use hzl_testkit::home::Home;
use serde_json::json;

const NOBODY: u32 = 65534;

#[test]
fn a_token_in_a_file_that_others_may_read_is_reported_and_made_private() {
    let home = crate::home();
    let config = json!({"syncUrl": "libsql://db.example.org", "authToken": "t0ken", "db": {"sync": {"policy": "manual"}}});
    let path = home.write("config/hzl/config.json", config.to_string());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let doctor: serde_json::Value =
        serde_json::from_str(&home.hzl(&["doctor"]).stdout).expect("JSON");
    let check = &doctor["checks"]["config"];
    assert_eq!(check["status"], "warn", "{doctor}");
    assert!(check.to_string().contains("chmod 600"), "{check}");
    // Whatever hzl itself writes is private from then on.
    home.json(&["init", "--local"]);
    let mode = fs::metadata(&path).expect("it is there").mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn another_user_reads_nothing_and_root_leaves_nothing_of_its_own() {
    crate::needs_root();
    let home = crate::home();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    home.json(&["task", "add", "Secret plans"]);
    let other = Home::new("/usr/bin/setpriv");
    fs::set_permissions(other.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
    let store = home.data().join("hzl/events.db");
    let (binary, store) = (
        crate::reachable_binary(&other),
        store.to_string_lossy().into_owned(),
    );
    let as_nobody = |store: &str, command: &[&str]| {
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"];
        other.hzl(&[&nobody[..], &[&binary, "--db", store], command].concat())
    };
    for command in [
        &["task", "list"][..],
        &["task", "add", "Mine"],
        &["export"],
        &["doctor"],
        &["events"],
    ] {
        let run = as_nobody(&store, command);
        assert_ne!(run.exit, 0, "{run}");
        assert!(
            !run.stdout.contains("Secret plans") && !run.stderr.contains("Secret plans"),
            "{run}"
        );
    }
    // Root works in somebody's store, who can use it afterwards.
    let theirs = home.path().join("theirs");
    fs::create_dir(&theirs).expect("it is new");
    chown(&theirs, Some(NOBODY), Some(NOBODY)).expect("root may");
    let store = theirs.join("events.db").to_string_lossy().into_owned();
    home.json(&["--db", &store, "task", "add", "For you"]);
    for entry in fs::read_dir(&theirs).expect("a directory") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("it is there");
        assert_eq!(
            (metadata.uid(), metadata.mode() & 0o7777),
            (NOBODY, 0o600),
            "{entry:?}"
        );
    }
    let run = as_nobody(&store, &["task", "add", "Thanks"]);
    assert_eq!(run.exit, 0, "{run}");
}
