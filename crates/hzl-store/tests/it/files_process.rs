//! The test binary as another process: tests start it again, naming what it is to do.

use std::env;
use std::fs::File;
use std::path::Path;
use std::process::Command;

use hzl_store::Access;
use hzl_store::checkpoint;
use hzl_store::open::Home;
use hzl_store::transaction::WriteTransaction;

use crate::files::append;
use crate::files::open;
use crate::files::paths;
use crate::files::text;

const WORK: &str = "HZL_STORE_TEST_WORK";
const DIRECTORY: &str = "HZL_STORE_TEST_DIRECTORY";
const NAME: &str = "HZL_STORE_TEST_NAME";

/// Returns a process that does `work` in `directory`; `name` tells it from its siblings.
pub(crate) fn process(work: &str, directory: &Path, name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "files_process::the_other_process", "--nocapture"]);
    command
        .env(WORK, work)
        .env(DIRECTORY, directory)
        .env(NAME, name);
    command
}

/// Does nothing when the tests run it, and the work when a test has started it.
#[test]
fn the_other_process() {
    let Ok(work) = env::var(WORK) else {
        return;
    };
    let directory = env::var_os(DIRECTORY).unwrap();
    let name = env::var(NAME).unwrap();
    let paths = paths(Path::new(&directory));
    match work.as_str() {
        "append" => {
            let gate = File::open(Path::new(&directory).join("gate")).unwrap();
            gate.lock_shared().unwrap();
            let files = open(&paths, Access::ReadWrite).unwrap();
            let transaction = WriteTransaction::begin(&files.events).unwrap();
            append(&transaction, &name);
            transaction.commit_log(Some(&name)).unwrap();
            checkpoint::after_commit(&files.events, &files.paths.events);
            assert_eq!(text(&files.cache, "select count(*) from p_meta"), "0");
        }
        "create" => {
            let files = open(&paths, Access::ReadWrite).unwrap();
            append(&files.events, &name);
            // Kept open, and killed by nobody: the files stay as a running writer has them.
            std::mem::forget(files);
        }
        "read" => {
            let error = open(&paths, Access::ReadWrite).unwrap_err();
            assert!(error.to_string().contains("written") || error.to_string().contains("cannot"));
            let files = open(&paths, Access::ReadOnly).unwrap();
            let home = |home| if home == Home::File { "file" } else { "memory" };
            let homes = format!("{} {}", home(files.events_home), home(files.cache_home));
            let seen = text(&files.events, "select group_concat(event_id) from events");
            assert_eq!(format!("{homes} {seen}"), name);
            text(&files.events, "select count(basis_seq) from events");
            text(&files.cache, "select count(*) from p_meta");
        }
        other => panic!("no such work: {other}"),
    }
}
