//! The token is nobody's business: not on any output, in any file but one, or in the list of
//! processes; and what is private is so from the first moment.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use hzl_testkit::home::Home;
use hzl_testkit::home::Run;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use hzl_testkit::stub::Stub;
use hzl_testkit::wait_until;
use serde_json::json;

use crate::cloud::Cloud;
use crate::cloud::Device;
use crate::cloud::SOON;
use crate::cloud::eager;
use crate::cloud::manual;

const CANARY: &str = "c4n4ry-0123456789abcdef";
const PASSWORD: &str = "p4ssw0rd-canary";

/// Returns all files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(directory).expect("a directory can be listed") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

fn holds(content: &[u8], secret: &str) -> bool {
    let secret = secret.as_bytes();
    content.windows(secret.len()).any(|part| part == secret)
}

/// Runs whatever could show settings or what a server says, and some of the rest.
fn run_everything(device: &Device) -> Vec<Run> {
    let run = |line: &[&str]| device.hzl(line);
    let mut runs = vec![
        run(&["task", "add", "T", "-s", "ready"]),
        run(&["task", "claim", "--next", "--agent", "ann"]),
        run(&["task", "show", "00NO"]),
        run(&["task", "list"]),
        run(&["events"]),
        run(&["which-db"]),
        run(&["sync", "--reset"]),
        run(&["init", "--merge"]),
        run(&["sync", "--frobnicate"]),
    ];
    for command in ["config", "sync", "status", "doctor", "init"] {
        for format in ["json", "md"] {
            runs.push(run(&[command, "--format", format]));
        }
    }
    runs
}

/// Checks that nothing a device printed or wrote holds one of the secrets.
#[track_caller]
fn assert_silent(device: &Device, runs: &[Run], secrets: &[&str]) {
    for secret in secrets {
        for run in runs {
            let shown = run.stdout.contains(secret) || run.stderr.contains(secret);
            assert!(!shown, "{run}");
        }
        for file in files(device.path()) {
            // A journal may be gone by now.
            let content = fs::read(&file).unwrap_or_default();
            let allowed = file.ends_with("config/hzl/config.json");
            assert!(allowed || !holds(&content, secret), "{}", file.display());
        }
    }
}

#[test]
fn the_token_is_never_shown_whatever_the_server_does() {
    let refusing = Sqld::start(Auth::Jwt);
    let gone = {
        let stub = Stub::silent();
        stub.url()
    };
    let echo = format!("you sent Authorization: Bearer {CANARY}\r\n{CANARY}");
    let reply = json!({"error": echo, "message": echo}).to_string();
    let sql_error = json!({"baton": null, "base_url": null, "results": [
        {"type": "error", "error": {"message": echo, "code": CANARY}}]})
    .to_string();
    let location = format!("https://example.org/{CANARY}?authToken={CANARY}");
    let echoing = [
        Stub::http(401, &[], &reply),
        Stub::http(403, &[], &reply),
        Stub::http(404, &[], &echo),
        Stub::http(400, &[], &reply),
        Stub::http(429, &[("Retry-After", CANARY)], &echo),
        Stub::http(500, &[], &echo),
        Stub::http(200, &[], &echo),
        Stub::http(200, &[], &sql_error),
        Stub::http(302, &[("Location", &location)], &echo),
        Stub::raw(format!("{CANARY} {CANARY}\r\n\r\n")),
    ];
    let mut urls: Vec<String> = echoing.iter().map(Stub::url).collect();
    urls.extend([refusing.url(), gone]);
    for url in urls {
        let device = Device::new();
        device.configure(&url, CANARY, &manual());
        let mut runs = run_everything(&device);
        for token in [CANARY, "-"] {
            let call = device.call(&["init", "--sync-url", &url, "--auth-token", token]);
            runs.push(call.stdin(format!("{CANARY}\n")).run());
        }
        assert_silent(&device, &runs, &[CANARY]);
        let shown = runs.iter().any(|run| run.exit >= 8);
        assert!(shown, "something went wrong with {url}");
    }
}

#[test]
fn credentials_in_an_address_are_not_shown_either() {
    let sqld = Sqld::start(Auth::Jwt);
    let host = sqld.url().replace("http://", "");
    for url in [
        format!("http://kim:{PASSWORD}@{host}"),
        format!("http://{host}?authToken={PASSWORD}"),
        format!("http://{host}/#{PASSWORD}"),
        format!("ftp://kim:{PASSWORD}@{host}"),
        format!("http://kim:{PASSWORD}@"),
        format!("http://{PASSWORD}@{host}"),
        format!("http://{host}?t={PASSWORD}"),
        format!("{host}?authToken={PASSWORD}"),
        format!("kim:{PASSWORD}@{host}"),
    ] {
        let device = Device::new();
        device.configure(&url, CANARY, &manual());
        let mut runs = run_everything(&device);
        for rest in [
            &["--auth-token", CANARY][..],
            &["--frobnicate"],
            &["--yes", "extra"],
        ] {
            let mut line = vec!["init", "--sync-url", &url];
            line.extend(rest);
            runs.push(device.hzl(&line));
        }
        let mut device = device;
        device.set_env("HZL_SYNC_URL", &url);
        runs.extend(run_everything(&device));
        assert_silent(&device, &runs, &[CANARY, PASSWORD]);
    }
}

#[test]
fn a_working_token_is_in_the_config_file_and_nowhere_else() {
    let cloud = Cloud::start();
    let device = cloud.device();
    let runs = run_everything(&device);
    assert_silent(&device, &runs, &[&cloud.token]);
    assert!(device.settings().to_string().contains(&cloud.token));

    // By the environment it is in no file at all.
    let mut device = Device::new();
    device.set_env("HZL_SYNC_URL", cloud.server.url());
    device.set_env("HZL_SYNC_TOKEN", &cloud.token);
    let runs = run_everything(&device);
    device.wait_until_settled();
    assert_silent(&device, &runs, &[&cloud.token]);
    assert!(!device.config().exists());
}

#[test]
fn the_list_of_processes_does_not_show_the_token() {
    let hole = Stub::silent();
    let mut device = Device::new();
    device.set_env("HZL_SYNC_TOKEN", "another-canary");
    device.configure(&hole.url(), CANARY, &eager());
    crate::add(&device, &["T"]);
    let syncers = device.syncers();
    assert_eq!(syncers.len(), 1);
    let path = format!("/proc/{}/cmdline", syncers[0]);
    let line = fs::read(path).unwrap();
    assert!(line.ends_with(b"\0sync\0--background\0"), "{line:?}");
    for secret in [CANARY, "another-canary"] {
        assert!(!holds(&line, secret));
    }
}

/// Returns the permissions of a path.
fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).expect("the path is there");
    metadata.permissions().mode() & 0o777
}

#[test]
fn files_are_private_from_the_start_under_any_umask() {
    let cloud = Cloud::start();
    let shell = Home::new("/bin/sh").env("HZL", env!("CARGO_BIN_EXE_hzl"));
    let device = Device::of(shell);
    let script = format!(
        "umask 000; \"$HZL\" init --sync-url {} --auth-token - && exec \"$HZL\" task add T",
        cloud.server.url()
    );
    let run = device
        .call(&["-c", &script])
        .stdin(cloud.token.clone())
        .run();
    assert_eq!(run.exit, 0, "{run}");
    // A reader keeps the journal there while it is looked at.
    let data = device.data().join("hzl");
    let reader = rusqlite::Connection::open(data.join("events.db")).unwrap();
    let count = "select count(*) from events";
    reader
        .query_row(count, [], |row| row.get::<_, i64>(0))
        .unwrap();
    wait_until(SOON, "the background is done", || {
        device.syncers().is_empty()
    });
    assert_eq!(mode(&device.config().join("hzl/config.json")), 0o600);
    for directory in [&data, &device.config().join("hzl")] {
        assert_eq!(mode(directory), 0o700, "{}", directory.display());
    }
    let files = files(&data);
    for name in ["events.db", "cache.db", "events.db-wal", "events.db-shm"] {
        assert!(files.contains(&data.join(name)), "{name} in {files:?}");
    }
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}
