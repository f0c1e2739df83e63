//! Secrets, each with a text of its own, and everything that could show one: 0 times in any output and in any file
//! but the one they were put into.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::files;
use hzl_testkit::home::Home;
use hzl_testkit::home::Run;
use hzl_testkit::stub::Stub;
use hzl_testkit::tls::Behind;
use hzl_testkit::tls::Certificate;
use hzl_testkit::tls::Claims;
use hzl_testkit::tls::TlsServer;
use hzl_testkit::wait_until;
use serde_json::json;

use crate::matrix;
use crate::matrix::Leaf;

const TOKEN: &str = "c4n4ry-t0ken-0123456789abcdef";
const NESTED_TOKEN: &str = "c4n4ry-nested-0123456789abcdef";
const GATEWAY: &str = "c4n4ry-gateway-0123456789abcdef";
const KEY: &str = "c4n4ry-encryption-0123456789abcdef";
const SIGNING: &str = "c4n4ry-signing-0123456789abcdef";
/// Is stored with what is queued, in a file that only its owner can read: docs/hooks.md.
const HEADER: &str = "c4n4ry-header-0123456789abcdef";
const QUERY: &str = "c4n4ry-query-0123456789abcdef";
const VARIABLE: &str = "c4n4ry-variable-0123456789abcdef";

/// All of them begin like this, and nothing else does.
const MARK: &str = "c4n4ry-";

/// Servers that say back what they were told, each in another way.
struct Servers {
    stubs: Vec<Stub>,
    tls: TlsServer,
    /// Hooks go there.
    hook: Stub,
}

impl Servers {
    fn start(token: &str) -> Self {
        let echo = format!("you sent Authorization: Bearer {token}\r\n{token}");
        let reply = json!({"error": echo, "message": echo}).to_string();
        let sql = json!({"baton": null, "base_url": null, "results": [
            {"type": "error", "error": {"message": echo, "code": token}}]});
        let location = format!("https://example.invalid/{token}?authToken={token}");
        let stubs = vec![
            Stub::http(401, &[], &reply),
            Stub::http(403, &[], &reply),
            Stub::http(500, &[], &echo),
            Stub::raw(format!("{token} {token}\r\n\r\n")),
            Stub::http(302, &[("Location", &location)], &echo),
            Stub::http(200, &[], &sql.to_string()),
            Stub::http(429, &[("Retry-After", token)], &echo),
        ];
        let behind = Behind::Reply(reply.into_bytes());
        let tls = TlsServer::start(Certificate::self_signed(&Claims::GOOD), behind);
        let hook = Stub::http(
            403,
            &[],
            &format!("you sent Bearer {HEADER} for ?token={QUERY}"),
        );
        Self { stubs, tls, hook }
    }

    fn urls(&self) -> Vec<String> {
        let mut urls: Vec<String> = self.stubs.iter().map(Stub::url).collect();
        urls.push(format!("https://127.0.0.1:{}", self.tls.port()));
        urls
    }
}

/// A machine with secrets wherever there can be one, and something in its ledger.
fn machine(servers: &Servers, place: Place) -> (Home, [String; 2]) {
    let home = crate::home()
        .env("RUST_BACKTRACE", "full")
        .env("RUST_LOG", "trace")
        .env("RUST_LIB_BACKTRACE", "1");
    for project in ["web", "docs", "ops"] {
        home.json(&["project", "create", project]);
    }
    let ids = ["Fix the login page", "Then test it"].map(|title| {
        let added = home.json(&["task", "add", title, "-P", "web", "-s", "ready"]);
        added["task_id"].as_str().expect("an id").to_owned()
    });
    home.write("plan.json", r#"[{"title":"From a plan"}]"#);
    configure(&home, &servers.urls()[0], &servers.hook, place);
    (home, ids)
}

#[derive(Debug, Clone, Copy)]
enum Place {
    File,
    Environment,
}

impl Place {
    /// The token that is used.
    const fn token(self) -> &'static str {
        match self {
            Self::File => TOKEN,
            Self::Environment => VARIABLE,
        }
    }
}

fn configure(home: &Home, url: &str, hook: &Stub, place: Place) {
    let hook = json!({
        "url": format!("{}/in?token={QUERY}", hook.url()),
        "headers": {"Authorization": format!("Bearer {HEADER}")}, "secret": SIGNING});
    let mut config = json!({
        "db": {"events": {"authToken": NESTED_TOKEN}, "sync": {"policy": "manual"}},
        "gateway": {"token": GATEWAY}, "encryptionKey": KEY,
        "hooks": {"on_done": hook, "on_created": hook, "on_comment": hook}});
    if matches!(place, Place::File) {
        config["syncUrl"] = json!(url);
        config["authToken"] = json!(TOKEN);
    }
    home.write("config/hzl/config.json", config.to_string());
}

/// Makes an example fit this machine: its tasks, its server, its files.
fn fitted(example: &[String], ids: &[String; 2], url: &str, home: &Home) -> Vec<String> {
    let word = |word: &String| match word.as_str() {
        "01K9ZZ3D" => ids[0].clone(),
        "01K9ZZ6B" => ids[1].clone(),
        "libsql://team.example.org" => url.to_owned(),
        word => word.replacen("~/", &format!("{}/", home.path().display()), 1),
    };
    let mut line: Vec<String> = example.iter().map(word).collect();
    if line.first().is_some_and(|word| word == "torture") {
        line = ["torture", "--runs", "1"].map(str::to_owned).to_vec();
    }
    line
}

/// Whether a command goes on until it is ended.
fn is_endless(line: &[String]) -> bool {
    line.iter()
        .any(|word| word == "--watch" || word == "--follow")
}

fn play(home: &Home, line: &[String], place: Place) -> Run {
    let words: Vec<&str> = line.iter().map(String::as_str).collect();
    let mut call = home.call(&words).stdin(format!("{}\n", place.token()));
    if let Place::Environment = place {
        call = call.env("HZL_SYNC_TOKEN", VARIABLE);
    }
    let mut running = call.spawn();
    if is_endless(line) {
        let text = |running: &mut hzl_testkit::home::Running| running.has_ended();
        // It says what is wrong, or goes on in silence: a second is enough for the first attempt.
        let started = std::time::Instant::now();
        wait_until(Duration::from_secs(20), "it has tried", || {
            text(&mut running) || started.elapsed() > Duration::from_secs(1)
        });
        running.kill();
    }
    running.wait()
}

/// Returns the secrets that a file holds.
fn secrets_in(content: &[u8]) -> BTreeSet<&'static str> {
    let all = [
        TOKEN,
        NESTED_TOKEN,
        GATEWAY,
        KEY,
        SIGNING,
        HEADER,
        QUERY,
        VARIABLE,
    ];
    let holds = |secret: &&str| {
        let secret = secret.as_bytes();
        content.windows(secret.len()).any(|part| part == secret)
    };
    all.into_iter().filter(holds).collect()
}

#[track_caller]
fn assert_silent(run: &Run) {
    let shown = run.stdout.contains(MARK) || run.stderr.contains(MARK);
    assert!(!shown, "{run}");
}

#[track_caller]
fn assert_clean(home: &Home) {
    for file in files(home.path()) {
        if file.ends_with("config/hzl/config.json") {
            continue;
        }
        // A journal may be gone by now.
        let found = secrets_in(&fs::read(&file).unwrap_or_default());
        let name = file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // Deliveries that wait are part of the ledger, and so of its backups.
        let is_ledger = name.starts_with("events.db") || name.ends_with(".db");
        let allowed = |secret: &&str| is_ledger && [HEADER, QUERY].contains(secret);
        let found: Vec<_> = found
            .into_iter()
            .filter(|secret| !allowed(secret))
            .collect();
        assert!(found.is_empty(), "{found:?} in {}", file.display());
    }
}

/// Plays every example of every command on one machine, and each command in ways it does not expect.
fn play_all(format: &str, place: Place, round: usize) -> usize {
    let servers = Servers::start(place.token());
    let urls = servers.urls();
    let (mut home, ids) = machine(&servers, place);
    let mut count = 0;
    for (number, Leaf { path, examples }) in matrix::leaves().iter().enumerate() {
        let url = &urls[(number + round) % urls.len()];
        let mut lines: Vec<Vec<String>> = examples
            .iter()
            .map(|line| fitted(line, &ids, url, &home))
            .collect();
        let odd = |more: &[&str]| {
            [
                path.clone(),
                more.iter().map(|word| (*word).to_owned()).collect(),
            ]
            .concat()
        };
        lines.push(odd(&[]));
        lines.push(odd(&["--verbose", TOKEN]));
        for mut line in lines {
            if line.first().is_some_and(|word| word == "torture") && line.len() == 1 {
                continue; // As many schedules as fit into a minute.
            }
            if !line
                .iter()
                .any(|word| word == "--format" || word == "--systemd")
            {
                line.extend(["--format".to_owned(), format.to_owned()]);
            }
            configure(&home, url, &servers.hook, place);
            if let Place::Environment = place {
                home.set_env("HZL_SYNC_URL", url);
            }
            let run = play(&home, &line, place);
            if line.contains(&TOKEN.to_owned()) {
                // Whoever passes a secret as an argument that does not exist sees their own word again.
                assert!(
                    run.exit != 0
                        && secrets_in(run.stdout.as_bytes())
                            .iter()
                            .all(|found| *found == TOKEN),
                    "{run}"
                );
            } else {
                assert_silent(&run);
            }
            assert!(!run.stderr.contains("panicked"), "{run}");
            count += 1;
        }
    }
    // Whatever the network commands meet.
    for url in &urls {
        configure(&home, url, &servers.hook, place);
        home.set_env("HZL_SYNC_URL", url);
        for line in [
            &["sync"][..],
            &["init"],
            &["doctor"],
            &["status"],
            &["config"],
            &["hook", "test"],
            &["hook", "drain"],
            &["hook", "list"],
        ] {
            let line: Vec<String> = [line, &["--format", format]]
                .concat()
                .iter()
                .map(|word| (*word).to_owned())
                .collect();
            assert_silent(&play(&home, &line, place));
            count += 1;
        }
    }
    assert_clean(&home);
    count
}

/// Every example of every command, in JSON and as text, with the secrets in the file and in the environment, against
/// servers that refuse, fail, send garbage, redirect and cannot be trusted.
///
/// `HZL_TEST_CANARY_ROUNDS`: each round pairs the commands with other servers: 8 are all pairs.
#[test]
fn secrets_are_seen_nowhere_whatever_is_run() {
    matrix::leaves();
    let rounds =
        usize::try_from(crate::setting("HZL_TEST_CANARY_ROUNDS", 1)).expect("a small number");
    for round in 0..rounds {
        let counts = thread::scope(|scope| {
            let places = match round % 2 {
                0 => [Place::File, Place::Environment],
                _ => [Place::Environment, Place::File],
            };
            let [first, second] = places;
            let plays = [("json", first), ("md", second)]
                .map(|(format, place)| scope.spawn(move || play_all(format, place, round)));
            plays.map(|play| play.join().expect("no secret is shown"))
        });
        assert!(counts.iter().all(|count| *count > 200), "{counts:?}");
    }
}

#[test]
fn what_is_left_of_a_crash_holds_no_token() {
    let hole = Stub::silent();
    let home = crate::home();
    configure(&home, &hole.url(), &hole, Place::File);
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ulimit -c unlimited; exec \"$0\" sync"])
        .arg(crate::binary())
        .env_clear()
        .env("HOME", home.path())
        .env("HZL_CONFIG", home.config().join("hzl/config.json"))
        .env("HZL_SYNC_TOKEN", VARIABLE)
        .current_dir(home.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let log = home.path().join(".local/share/hzl/events.db");
    // The token is read by then, and the server never answers.
    wait_until(Duration::from_secs(20), "it waits for the server", || {
        log.exists()
    });
    let abort = Command::new("kill")
        .args(["-ABRT", &child.id().to_string()])
        .status();
    assert!(abort.expect("kill runs").success());
    let status = child.wait().expect("it has ended");
    assert_eq!(status.signal(), Some(6), "{status}");
    assert!(!status.core_dumped(), "its memory was written to a file");
    assert_clean(&home);
}
