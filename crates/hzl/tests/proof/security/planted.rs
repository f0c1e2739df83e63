//! Links and pipes that somebody put where hzl will make a file. Which files those are is found out by letting it
//! make them.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::lchown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::files;
use hzl_testkit::home::Home;

/// Everything that makes files, in the directory that is given with each.
const MAKERS: [&[&str]; 10] = [
    &["task", "add", "T"],
    &["task", "list"],
    &["sync", "--background"],
    &["backup", "backup.db"],
    &["export", "export.ndjson"],
    &["backup", "backup.db", "--force"],
    &["export", "export.ndjson", "--force"],
    &["man", "--dir", "man"],
    &["init", "--local"],
    &[
        "init",
        "--sync-url",
        "http://127.0.0.1:9",
        "--auth-token",
        "-",
    ],
];

fn make(home: &Home) {
    let settings = r#"{"syncUrl": "http://127.0.0.1:9", "authToken": "t", "db": {"sync": {"policy": "manual"}}}"#;
    // Settings that were planted are left as they are.
    if fs::symlink_metadata(home.config().join("hzl/config.json")).is_err() {
        home.write("config/hzl/config.json", settings);
    }
    for line in MAKERS {
        // Some are refused, which is what this is about; none may hang.
        drop(home.call(line).stdin("t0ken").run());
    }
}

/// Returns the files that hzl makes, below its home.
fn made() -> BTreeSet<PathBuf> {
    let home = crate::home();
    make(&home);
    let made = files(home.path());
    let made = made
        .iter()
        .map(|path| path.strip_prefix(home.path()).expect("it is below"));
    // One of the pages stands for all: they are made in the same way.
    let one_page =
        |path: &&Path| path.parent() != Some(Path::new("man")) || path.ends_with("hzl.1");
    made.filter(one_page).map(Path::to_owned).collect()
}

#[derive(Debug, Clone, Copy)]
enum Bait {
    Link,
    LinkToNothing,
    HardLink,
    Pipe,
}

fn plant(bait: Bait, at: &Path, victim: &Path) {
    fs::create_dir_all(at.parent().expect("a directory")).expect("directories can be made");
    match bait {
        Bait::Link => symlink(victim, at),
        Bait::LinkToNothing => symlink(victim.with_file_name("not-yet"), at),
        Bait::HardLink => fs::hard_link(victim, at),
        Bait::Pipe => {
            let made = Command::new("mkfifo").arg(at).status();
            assert!(made.expect("mkfifo runs").success());
            Ok(())
        }
    }
    .expect("bait can be laid");
    if matches!(bait, Bait::Link | Bait::LinkToNothing) {
        // Links of one's own are followed: people keep their settings and ledgers elsewhere on purpose.
        lchown(at, Some(65534), Some(65534)).expect("root may give a link away");
    }
}

const CONTENT: &str = "somebody's private notes\n";

#[test]
fn what_somebody_planted_is_neither_followed_nor_waited_for() {
    crate::needs_root();
    let made = made();
    for name in [
        "config.json",
        "events.db",
        "cache.db",
        "write.lock",
        "sync.lock",
        "backup.db",
        "export.ndjson",
        "hzl.1",
    ] {
        assert!(
            made.iter().any(|path| path.ends_with(name)),
            "{name} is not among {made:?}"
        );
    }
    for path in &made {
        for bait in [Bait::Link, Bait::LinkToNothing, Bait::HardLink, Bait::Pipe] {
            // SQLite makes these itself, and deletes or rebuilds what it finds.
            let home = crate::home();
            let outside = tempfile::tempdir().expect("a directory");
            let victim = outside.path().join("victim");
            fs::write(&victim, CONTENT).expect("it can be written");
            let at = home.path().join(path);
            plant(bait, &at, &victim);
            let what = format!("{bait:?} at {}", path.display());
            println!("{what}"); // shown on failure
            make(&home);
            assert_eq!(
                fs::read_to_string(&victim).ok().as_deref(),
                Some(CONTENT),
                "{what}"
            );
            assert!(!victim.with_file_name("not-yet").exists(), "{what}");
            if let (Bait::Pipe, Ok(metadata)) = (bait, fs::symlink_metadata(&at)) {
                let taken = metadata.file_type().is_fifo() || metadata.is_file();
                assert!(taken, "{what}");
            }
        }
    }
}
