//! Names of servers: `/etc/hosts`, DNS, search domains, IPv4 and IPv6, names that nobody knows, name servers that
//! are silent or missing.
//!
//! Each test runs once more in namespaces of its own, where `/etc` is a directory of the test and the network is
//! loopback alone. So it holds for the program under test, whichever resolver is linked into it: that of the system,
//! or the one in a static binary (`HZL_TEST_BINARY`).

use std::env;
use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use hzl_testkit::dns::Dns;
use hzl_testkit::home::Home;
use hzl_testkit::home::Run;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use hzl_testkit::tls::Authority;
use hzl_testkit::tls::Behind;
use hzl_testkit::tls::Claims;
use hzl_testkit::tls::TlsServer;
use serde_json::json;

/// Set in the process in the namespaces: where its `/etc` is.
const ETC: &str = "HZL_TEST_ETC";
const NAME_SERVER: ([u8; 4], u16) = ([127, 0, 0, 53], 53);
const RESOLV_CONF: &str = "nameserver 127.0.0.53\nsearch corp.test\n";
const HOSTS: &str = "127.0.0.1 localhost db.hosts.test\n::1 localhost six.hosts.test\n";
/// How long a sync may take that finds nobody: its own limit for a name is five seconds.
const IN_TIME: Duration = Duration::from_secs(20);
/// How long one may take that is told at once that there is nobody: not so long as that limit.
const AT_ONCE: Duration = Duration::from_millis(4500);

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LOOPBACK_6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Loopback is down in a new network; there need be no program for it but python, which the tests want anyway.
const SCRIPT: &str = r#"
python3 -c '
import fcntl, socket, struct
up = struct.pack("16sh22x", b"lo", 0x41)
fcntl.ioctl(socket.socket(), 0x8914, up)' &&
mount --bind "$HZL_TEST_ETC" /etc &&
exec "$TEST" --exact "$NAME" --nocapture
"#;

/// Runs the test of that name again in namespaces of its own; there, runs `body`.
fn apart(name: &str, body: impl FnOnce(&World)) {
    if let Some(etc) = env::var_os(ETC) {
        body(&World::new(PathBuf::from(etc)));
        return;
    }
    let shell = Home::new("/bin/sh");
    // The loader finds libraries by it.
    let cache = fs::read("/etc/ld.so.cache").unwrap_or_default();
    let etc = shell.write("etc/ld.so.cache", cache);
    let run = crate::apart(&shell, &["--net", "--mount"], SCRIPT)
        .env(ETC, etc.parent().expect("it lies in a directory"))
        .env("TEST", env::current_exe().expect("a test has a path"))
        .env("NAME", name)
        .env("HZL_TEST_BINARY", crate::binary())
        .run();
    assert!(run.exit == 0 && run.stdout.contains("1 passed"), "{run}");
}

/// A network with one server, whose `/etc` is written as each case wants it.
struct World {
    etc: PathBuf,
    authority: Authority,
    sqld: Sqld,
}

impl World {
    fn new(etc: PathBuf) -> Self {
        let authority = Authority::new("company");
        let certificates = etc.join("ssl/certs");
        fs::create_dir_all(&certificates).expect("it is ours");
        let file = certificates.join("ca-certificates.crt");
        fs::write(file, authority.pem()).expect("it is ours");
        let world = Self {
            etc,
            authority,
            sqld: Sqld::start(Auth::Jwt),
        };
        world.write("hosts", HOSTS);
        world.write("resolv.conf", RESOLV_CONF);
        world.write("nsswitch.conf", "hosts: files dns\n");
        world
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.etc.join(name), content).expect("it is ours");
    }

    /// Starts a server that answers at this address, under these names.
    fn server(&self, address: IpAddr, names: &[&str]) -> TlsServer {
        let url = self.sqld.url();
        let behind = url.trim_start_matches("http://").parse();
        let claims = Claims {
            names,
            ..Claims::GOOD
        };
        let certificate = self.authority.issue(&claims);
        TlsServer::start_at(
            address,
            certificate,
            Behind::Server(behind.expect("an address")),
        )
    }

    /// Syncs with a server of that name, from a machine that has an event to send; returns how long it took, too.
    fn sync(&self, host: &str, port: u16) -> (Run, Duration) {
        let home = crate::home();
        let token = self.sqld.token(Access::ReadWrite, 3600);
        let url = format!("https://{host}:{port}");
        let config =
            json!({"syncUrl": url, "authToken": token, "db": {"sync": {"policy": "manual"}}});
        home.write("config/hzl/config.json", config.to_string());
        home.json(&["task", "add", "Find me"]);
        let start = Instant::now();
        let run = home.hzl(&["sync", "--merge"]);
        (run, start.elapsed())
    }

    #[track_caller]
    fn assert_reached(&self, host: &str, server: &TlsServer) {
        let (run, _) = self.sync(host, server.port());
        assert_eq!(run.exit, 0, "{host}: {run}");
        assert!(run.json()["data"]["pushed"].as_u64() > Some(0), "{run}");
    }

    /// Checks that a sync with a server of that name is given up within `limit`, in words that help.
    #[track_caller]
    fn assert_given_up(&self, host: &str, limit: Duration) -> String {
        let (run, took) = self.sync(host, 443);
        assert_eq!(run.exit, 8, "{host}: {run}");
        assert!(took < limit, "{host} took {took:?}: {run}");
        let error = run.json();
        assert_eq!(error["error"]["code"], "sync_unavailable", "{run}");
        let message = error["error"]["message"].as_str().unwrap_or_default();
        assert!(message.contains(host), "it says who: {run}");
        assert!(message.contains("resolved"), "it says what failed: {run}");
        assert!(
            message.contains("kept"),
            "it says what became of the event: {run}"
        );
        message.to_owned()
    }
}

fn known(names: &[(&str, &[IpAddr])]) -> Dns {
    let records = names
        .iter()
        .map(|(name, found)| ((*name).to_owned(), found.to_vec()));
    Dns::start(SocketAddr::from(NAME_SERVER), records.collect())
}

/// Whether the program under test brings its own resolver: it asks for no loader.
fn is_static() -> bool {
    let binary = fs::read(crate::binary()).expect("it can be read");
    let head = binary.get(..4096).unwrap_or_default();
    !head.windows(8).any(|bytes| bytes == b"ld-linux")
}

#[test]
fn a_server_is_found_in_hosts_and_in_dns() {
    apart("names::a_server_is_found_in_hosts_and_in_dns", |world| {
        let many: Vec<IpAddr> = (1..=60).map(|last| [127, 0, 1, last].into()).collect();
        let dns = known(&[
            ("four.corp.test", &[LOOPBACK]),
            ("six.corp.test", &[LOOPBACK_6]),
            ("both.corp.test", &[LOOPBACK_6, LOOPBACK]),
            ("many.corp.test", &many),
        ]);
        let everywhere = world.server(
            IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            &[
                "localhost",
                "db.hosts.test",
                "six.hosts.test",
                "four.corp.test",
                "six.corp.test",
                "many.corp.test",
                "four",
                "six",
            ],
        );
        // Known to /etc/hosts alone. Nobody else is asked.
        for host in ["db.hosts.test", "six.hosts.test"] {
            world.assert_reached(host, &everywhere);
        }
        let asked = dns.questions();
        assert!(
            asked.iter().all(|asked| !asked.name.contains("hosts.test")),
            "{asked:?}"
        );
        // Known to DNS alone; the last two in the search domain.
        for host in ["four.corp.test", "six.corp.test", "four", "six"] {
            world.assert_reached(host, &everywhere);
        }
        // Two addresses, of which one answers.
        let four_only = world.server(LOOPBACK, &["both.corp.test"]);
        world.assert_reached("both.corp.test", &four_only);
        // Too many addresses for a datagram.
        world.assert_reached("many.corp.test", &everywhere);
        let asked = dns.questions();
        assert!(asked.iter().any(|asked| asked.over_tcp), "{asked:?}");
    });
}

#[test]
fn a_name_that_does_not_exist_is_said_to_at_once() {
    apart(
        "names::a_name_that_does_not_exist_is_said_to_at_once",
        |world| {
            let dns = known(&[]);
            for host in ["nobody.corp.test", "nobody"] {
                let message = world.assert_given_up(host, AT_ONCE);
                assert!(message.contains("its name cannot be resolved"), "{message}");
            }
            let asked = dns.questions();
            assert!(
                asked.iter().any(|asked| asked.name == "nobody.corp.test"),
                "{asked:?}"
            );
        },
    );
}

#[test]
fn without_an_answer_about_a_name_a_sync_ends_in_time() {
    apart(
        "names::without_an_answer_about_a_name_a_sync_ends_in_time",
        |world| {
            // There is a name server, and it is silent.
            let dns = Dns::silent(SocketAddr::from(NAME_SERVER));
            world.assert_given_up("db.corp.test", IN_TIME);
            assert_ne!(dns.questions(), [], "it was asked");
            drop(dns);
            // There is none.
            world.assert_given_up("db.corp.test", IN_TIME);
            // Nobody has said where one is. What is in /etc/hosts is found all the same.
            fs::remove_file(world.etc.join("resolv.conf")).expect("it is there");
            world.assert_given_up("db.corp.test", IN_TIME);
            let server = world.server(LOOPBACK, &["db.hosts.test"]);
            world.assert_reached("db.hosts.test", &server);
            // No file at all.
            for name in ["hosts", "nsswitch.conf"] {
                fs::remove_file(world.etc.join(name)).expect("it is there");
            }
            world.assert_given_up("db.corp.test", IN_TIME);
        },
    );
}

/// The difference that docs/install.md names.
#[test]
fn a_static_binary_does_not_ask_what_nsswitch_names() {
    apart(
        "names::a_static_binary_does_not_ask_what_nsswitch_names",
        |world| {
            world.write("nsswitch.conf", "hosts: dns\n");
            let _dns = known(&[]);
            let server = world.server(LOOPBACK, &["db.hosts.test"]);
            if is_static() {
                world.assert_reached("db.hosts.test", &server);
            } else {
                world.assert_given_up("db.hosts.test", AT_ONCE);
            }
        },
    );
}
