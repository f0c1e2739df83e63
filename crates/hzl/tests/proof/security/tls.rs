//! The token goes to a server that proves to be the one that was meant, and to nobody else.

use std::net::SocketAddr;
use std::time::Duration;

use hzl_testkit::home::Home;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use hzl_testkit::stub::Stub;
use hzl_testkit::tls::Authority;
use hzl_testkit::tls::Behind;
use hzl_testkit::tls::Certificate;
use hzl_testkit::tls::Claims;
use hzl_testkit::tls::TlsServer;
use hzl_testkit::wait_until;
use serde_json::json;

const TOKEN: &str = "c4n4ry-t0ken-0123456789abcdef";

const NEVER: Behind = Behind::Reply(Vec::new());

/// A machine that trusts this authority and has an event to send.
fn machine(url: &str, token: &str, trusted: &Authority) -> Home {
    let home = crate::home();
    let file = home.write("authority.pem", trusted.pem());
    let home = home.env("SSL_CERT_FILE", file);
    let config = json!({"syncUrl": url, "authToken": token, "db": {"sync": {"policy": "manual"}}});
    home.write("config/hzl/config.json", config.to_string());
    home.json(&["task", "add", "Is not for everybody"]);
    home
}

/// Checks that a sync is refused for this reason, keeps its event, and told the server nothing.
#[track_caller]
fn assert_refused(url: &str, server: &TlsServer, trusted: &Authority) {
    let home = machine(url, TOKEN, trusted);
    let error = home.fails(&["sync"], 9);
    assert_eq!(error["error"]["details"]["cause"], "tls", "{error}");
    wait_until(Duration::from_secs(20), "it was asked", || {
        !server.connections().is_empty()
    });
    let connections = server.connections();
    for request in connections.into_iter().flatten() {
        assert_eq!(request, "", "it was told something");
    }
    let status = home.json(&["status"]);
    assert!(
        status["data"]["pendingEvents"].as_u64() > Some(0),
        "{status}"
    );
}

#[test]
fn a_server_that_proves_nothing_gets_no_token() {
    let (known, unknown) = (Authority::new("known"), Authority::new("unknown"));
    let good = Claims::GOOD;
    let expired = Claims {
        validity: ["20200101000000Z", "20210101000000Z"],
        ..good
    };
    let not_yet = Claims {
        validity: ["20980101000000Z", "20991231235959Z"],
        ..good
    };
    let other_name = Claims {
        names: &["db.example.org"],
        loopback: false,
        ..good
    };
    for (what, certificate) in [
        ("self-signed", Certificate::self_signed(&good)),
        ("of an unknown authority", unknown.issue(&good)),
        ("expired", known.issue(&expired)),
        ("not valid yet", known.issue(&not_yet)),
        ("of another name", known.issue(&other_name)),
        (
            "of no name",
            known.issue(&Claims {
                names: &[],
                loopback: false,
                ..good
            }),
        ),
    ] {
        let server = TlsServer::start(certificate, NEVER);
        for scheme in ["https", "libsql"] {
            println!("{what}, {scheme}"); // shown on failure
            assert_refused(
                &format!("{scheme}://127.0.0.1:{}", server.port()),
                &server,
                &known,
            );
        }
    }
    // The right certificate, under a name it is not for.
    let server = TlsServer::start(
        known.issue(&Claims {
            loopback: false,
            ..good
        }),
        NEVER,
    );
    assert_refused(
        &format!("https://127.0.0.1:{}", server.port()),
        &server,
        &known,
    );
    // An authority that is trusted nowhere but in its own certificate chain.
    let server = TlsServer::start(known.issue(&good), NEVER);
    assert_refused(
        &format!("https://127.0.0.1:{}", server.port()),
        &server,
        &unknown,
    );
}

#[test]
fn a_connection_is_never_downgraded() {
    let known = Authority::new("known");
    // TLS is asked for and somebody speaks HTTP.
    let plain = Stub::http(200, &[], "{}");
    let port = plain.url().rsplit(':').next().expect("a port").to_owned();
    for scheme in ["https", "libsql"] {
        let home = machine(&format!("{scheme}://127.0.0.1:{port}"), TOKEN, &known);
        let error = home.fails(&["sync"], 9);
        assert_eq!(error["error"]["details"]["cause"], "tls", "{error}");
    }
    let requests = plain.requests();
    assert!(requests.iter().all(|request| !request.contains(TOKEN)));
    assert!(
        requests.iter().all(|request| !request.contains("POST")),
        "{requests:?}"
    );
    // HTTP to another machine is refused before anybody is asked; 192.0.2.1 is nobody's.
    let home = machine("http://192.0.2.1:8080", TOKEN, &known);
    let error = home.fails(&["sync"], 9);
    assert_eq!(error["error"]["details"]["cause"], "bad_url", "{error}");
}

#[test]
fn a_redirect_of_a_trusted_server_is_not_followed() {
    let known = Authority::new("known");
    let plain = Stub::http(200, &[], "{}");
    let other = TlsServer::start(known.issue(&Claims::GOOD), NEVER);
    for status in [301, 302, 303, 307, 308] {
        for target in [plain.url(), format!("https://localhost:{}", other.port())] {
            let reply = format!(
                "HTTP/1.1 {status} Moved\r\nLocation: {target}/v2/pipeline\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let server = TlsServer::start(
                known.issue(&Claims::GOOD),
                Behind::Reply(reply.into_bytes()),
            );
            let home = machine(
                &format!("https://127.0.0.1:{}", server.port()),
                TOKEN,
                &known,
            );
            let error = home.fails(&["sync"], 9);
            assert_eq!(error["error"]["details"]["cause"], "redirected", "{error}");
            let seen: Vec<String> = server.connections().into_iter().flatten().collect();
            assert!(
                seen.iter().any(|request| request.contains(TOKEN)),
                "it is trusted: {seen:?}"
            );
        }
    }
    assert_eq!(plain.requests(), Vec::<String>::new());
    assert!(other.connections().is_empty());
}

#[test]
fn a_private_authority_of_the_system_is_trusted() {
    let sqld = Sqld::start(Auth::Jwt);
    let token = sqld.token(Access::ReadWrite, 3600);
    let address: SocketAddr = sqld
        .url()
        .trim_start_matches("http://")
        .parse()
        .expect("an address");
    let company = Authority::new("company");
    let server = TlsServer::start(company.issue(&Claims::GOOD), Behind::Server(address));
    for host in ["127.0.0.1", "localhost"] {
        let mut home = machine(
            &format!("libsql://{host}:{}", server.port()),
            &token,
            &company,
        );
        let synced = home.json(&["sync", "--merge"]);
        assert!(synced["data"]["pushed"].as_u64() > Some(0), "{synced}");
        // And in a directory of certificates, under any name.
        let certificates = home.path().join("certificates");
        home.write("certificates/company.pem", company.pem());
        home.remove_env("SSL_CERT_FILE");
        home.set_env("SSL_CERT_DIR", certificates);
        home.json(&["task", "add", "More"]);
        home.json(&["sync"]);
    }
}
