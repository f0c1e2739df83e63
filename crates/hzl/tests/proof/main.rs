//! Proofs: the real binary is killed, starved, crowded, damaged and lied to, and has to keep its promises.
//!
//! Each proof has a short setting, which is what `cargo test` plays, and a long one: `scripts/proof`.

#![expect(clippy::print_stdout, reason = "a proof says how much it has tried")]

mod bombs;
mod claims;
mod counts;
mod crowd;
mod damage;
mod growth;
mod kills;
mod matrix;
mod names;
mod odd_homes;
mod power_cut;
mod repair;
mod security;
mod store;
mod terminal;

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use hzl_testkit::home::Call;
use hzl_testkit::home::Home;

/// The binary under test: the one of this build, or the one that a long run names (a release).
pub fn binary() -> PathBuf {
    env::var_os("HZL_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_hzl").into(), PathBuf::from)
}

/// A machine of its own for the binary under test.
pub fn home() -> Home {
    Home::new(binary())
}

/// Adds a task, and returns its id.
pub fn add(home: &Home, arguments: &[&str]) -> String {
    let answer = home.json(&[&["task", "add"], arguments].concat());
    answer["task_id"].as_str().expect("a task id").to_owned()
}

/// A number from the environment, which long runs set, or the short setting. Seeds are printed by whoever
/// uses one.
pub fn setting(name: &str, short: u64) -> u64 {
    hzl_testkit::random::setting(name).unwrap_or(short)
}

/// Returns all files below a directory.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory can be listed");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Runs a script in a shell, in namespaces of its own (`--mount`, `--net`), as root of a user namespace.
///
/// Where that is forbidden the script fails, and says so: allow user namespaces
/// (`sysctl kernel.unprivileged_userns_clone=1`) or run as root.
pub fn apart(shell: &Home, spaces: &[&str], script: &str) -> Call {
    in_user_namespace(shell, &[&["--map-root-user"], spaces].concat(), script)
}

/// Runs a script in a user namespace made with these options of `unshare`.
pub fn in_user_namespace(shell: &Home, options: &[&str], script: &str) -> Call {
    let options = options.join(" ");
    let line = format!("exec unshare --user {options} -- /bin/sh -c \"$SCRIPT\"");
    shell.call(&["-c", &line]).env("SCRIPT", script)
}

/// Ends the test if its user is not root, who alone can act as several users.
#[track_caller]
pub fn needs_root() {
    let uid = fs::metadata("/proc/self").expect("there is a /proc").uid();
    assert_eq!(uid, 0, "this test acts as two users: run it as root");
}

/// Copies the binary to where every user can run it.
pub fn reachable_binary(home: &Home) -> String {
    let copy = home.path().join("hzl-for-all");
    fs::copy(binary(), &copy).expect("the binary can be copied");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("it is ours");
    copy.to_string_lossy().into_owned()
}

/// Returns the words that make a shell run the binary as a user with no rights: as root, a copy of it in this home,
/// which everybody has to be able to enter.
pub fn as_nobody(home: &Home) -> String {
    let uid = fs::metadata("/proc/self").expect("there is a /proc").uid();
    if uid != 0 {
        return "\"$HZL\"".to_owned();
    }
    let binary = reachable_binary(home);
    format!("setpriv --reuid=65534 --regid=65534 --clear-groups {binary}")
}
