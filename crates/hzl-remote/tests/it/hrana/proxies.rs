//! The proxy of the environment, in child processes, as it is read from there.

use super::*;

/// Set in the child process that plays a machine with a proxy.
const ROLE: &str = "HZL_TEST_PROXY_ROLE";

/// Runs the test of that name again, in a process with this environment.
fn in_child(test: &str, environment: &[(&str, &str)]) {
    let this = std::env::current_exe().expect("a test binary has a path");
    let output = Command::new(this)
        .args(["--exact", test, "--nocapture"])
        .envs(environment.iter().copied())
        .env(ROLE, "child")
        .output()
        .expect("the test binary can be run");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && stdout.contains("1 passed"),
        "{stdout}{stderr}"
    );
}

#[test]
fn the_proxy_is_used_and_never_sees_the_token() {
    if std::env::var_os(ROLE).is_some() {
        let mut hrana = client("https://db.example.invalid", Some(CANARY));
        let error = select_one(&mut hrana).expect_err("the proxy refuses");
        let is_proxy = matches!(
            error,
            RemoteError::Unreachable {
                cause: Unreachability::Proxy,
                ..
            }
        );
        assert!(is_proxy, "{error:?}");
        return;
    }
    let proxy = Stub::http(407, &[], "");
    in_child(
        "hrana::proxies::the_proxy_is_used_and_never_sees_the_token",
        &[("HTTPS_PROXY", &proxy.url())],
    );
    let requests = proxy.requests();
    let [request] = requests.as_slice() else {
        panic!("one request, not {requests:?}")
    };
    assert!(
        request.starts_with("CONNECT db.example.invalid:443 HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(!request.contains(CANARY));
}

#[test]
fn this_machine_is_reached_without_the_proxy() {
    if std::env::var_os(ROLE).is_some() {
        let server = Stub::http(503, &[], "");
        let error = failure_at(&server);
        assert!(
            matches!(error, RemoteError::Server { status: 503, .. }),
            "{error:?}"
        );
        return;
    }
    let proxy = Stub::http(407, &[], "");
    in_child(
        "hrana::proxies::this_machine_is_reached_without_the_proxy",
        &[("HTTPS_PROXY", &proxy.url()), ("ALL_PROXY", &proxy.url())],
    );
    assert_eq!(proxy.requests(), Vec::<String>::new());
}
