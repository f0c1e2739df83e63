//! Servers that do not answer, or not as they should. Nothing leaks, nothing hangs.

use super::*;

#[test]
fn a_black_hole_times_out() {
    let stub = Stub::silent();
    let limit = Duration::from_millis(300);
    let timeouts = Timeouts {
        connect: limit,
        total: limit,
    };
    let mut hrana = Hrana::new(endpoint(&stub.url()), None, timeouts);
    let start = Instant::now();
    let error = select_one(&mut hrana).expect_err("nobody answers");
    let elapsed = start.elapsed();
    assert!(
        matches!(
            error,
            RemoteError::Timeout {
                phase: Phase::Reply,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(elapsed >= limit && elapsed < 10 * limit, "{elapsed:?}");
    assert_eq!((hrana.requests(), error.is_permanent()), (1, false));
}

#[test]
fn a_reply_that_never_ends_times_out() {
    let stub = Stub::stalling("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{");
    let limit = Duration::from_millis(300);
    let timeouts = Timeouts {
        connect: limit,
        total: limit,
    };
    let mut hrana = Hrana::new(endpoint(&stub.url()), None, timeouts);
    let error = select_one(&mut hrana).expect_err("half an answer");
    assert!(
        matches!(
            error,
            RemoteError::Timeout {
                phase: Phase::Reply,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn an_unknown_host_is_unreachable() {
    let mut hrana = client("https://does-not-exist.invalid", None);
    let error = select_one(&mut hrana).expect_err("no such host");
    assert!(
        matches!(error, RemoteError::Unreachable { .. }),
        "{error:?}"
    );
}

#[test]
fn garbage_is_a_bad_reply() {
    let result = |count: usize| {
        let row = r#"{"type":"ok","response":{"type":"close"}}"#;
        format!(r#"{{"results":[{}]}}"#, vec![row; count].join(","))
    };
    for stub in [
        Stub::raw("SSH-2.0-OpenSSH_9.6\r\n"),
        Stub::raw([0, 255, 10, 13].repeat(100)),
        Stub::http(
            200,
            &[],
            "<html>log in to the hotel network c4nary-t0ken</html>",
        ),
        Stub::http(200, &[], ""),
        Stub::http(200, &[], "{}"),
        Stub::http(200, &[], &result(0)),
        Stub::http(200, &[], &result(1)),
        Stub::http(200, &[], &result(2)),
        Stub::http(200, &[], &result(3)),
        Stub::http(204, &[], ""),
    ] {
        let error = failure_at(&stub);
        assert!(matches!(error, RemoteError::BadReply { .. }), "{error:?}");
        assert!(!error.is_permanent());
    }
}

#[test]
fn a_connection_that_is_cut_is_unreachable() {
    for reply in [
        "",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"results\":[",
    ] {
        let error = failure_at(&Stub::raw(reply));
        assert!(
            matches!(error, RemoteError::Unreachable { .. }),
            "{reply:?}: {error:?}"
        );
    }
}

#[test]
fn an_endless_reply_is_cut_off() {
    let mut reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
    reply.resize(65 * 1024 * 1024, b' ');
    let error = failure_at(&Stub::raw(reply));
    assert!(
        matches!(error, RemoteError::ReplyTooLarge { .. }),
        "{error:?}"
    );
    assert_eq!(error.code(), "bad_reply");
}

#[test]
fn statuses_are_sorted() {
    let message = |status| format!(r#"{{"error":"no {status} {CANARY}\n\u001b[2J"}}"#);
    for (status, code) in [
        (400, "bad_request"),
        (401, "unauthorized"),
        (402, "bad_request"),
        (403, "forbidden"),
        (404, "not_found"),
        (413, "bad_request"),
        (429, "throttled"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "server_error"),
    ] {
        let error = failure_at(&Stub::http(status, &[], &message(status)));
        assert_eq!(error.code(), code, "{error:?}");
        let expected = format!("no {status} <redacted>\\n\\u{{1b}}[2J");
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
    let error = failure_at(&Stub::http(429, &[("Retry-After", "7")], "slow down"));
    let RemoteError::Throttled { retry_after, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[test]
fn a_server_that_always_complains_about_close_is_asked_twice() {
    let stub = Stub::http(
        500,
        &[],
        "unknown variant `close`, expected `execute` or `batch`",
    );
    let error = failure_at(&stub);
    assert!(matches!(error, RemoteError::Server { status: 500, .. }));
    let requests = stub.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests[0].contains(r#"{"type":"close"}"#) && !requests[1].contains("close\""));
}

#[test]
fn an_error_of_a_statement_is_cleaned_too() {
    let body = format!(
        r#"{{"results":[{{"type":"error","error":{{"message":"{CANARY}\u001b","code":"{CANARY}"}}}},
           {{"type":"ok","response":{{"type":"close"}}}}]}}"#
    );
    let stub = Stub::http(200, &[], &body);
    let outcomes = select_one(&mut client(&stub.url(), Some(CANARY))).expect("a reply");
    let error = outcomes[0].as_ref().expect_err("an error");
    assert_eq!(error.to_string(), "<redacted>\\u{1b} (<redacted>)");
}

#[test]
fn the_token_goes_into_one_header_of_one_request() {
    let stub = Stub::http(500, &[], "");
    failure_at(&stub);
    let requests = stub.requests();
    let [request] = requests.as_slice() else {
        panic!("one request, not {requests:?}")
    };
    assert!(
        request.starts_with("POST /v2/pipeline HTTP/1.1\r\n"),
        "{request}"
    );
    assert_eq!(request.matches(CANARY).count(), 1);
    let header = format!("authorization: bearer {CANARY}\r\n");
    assert!(request.to_ascii_lowercase().contains(&header), "{request}");
    let agent = concat!("user-agent: hzl/", env!("CARGO_PKG_VERSION"), "\r\n");
    assert!(request.to_ascii_lowercase().contains(agent), "{request}");
}

#[test]
fn redirects_are_reported_and_not_followed() {
    let elsewhere = Stub::http(200, &[], "{}");
    for status in [301, 302, 303, 307, 308] {
        let target = format!("{}/x?session={CANARY}", elsewhere.url());
        let stub = Stub::http(status, &[("Location", &target)], "moved");
        let error = failure_at(&stub);
        let RemoteError::Redirect {
            status: seen,
            location,
        } = &error
        else {
            panic!("{error:?}")
        };
        assert_eq!(
            (*seen, location),
            (status, &format!("{}/x", elsewhere.url()))
        );
        assert!(error.is_permanent());
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[test]
fn a_server_without_tls_is_not_trusted() {
    let stub = Stub::raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
    let url = stub.url().replace("http://", "https://");
    let error = select_one(&mut client(&url, Some(CANARY))).expect_err("no TLS");
    assert!(matches!(error, RemoteError::Tls { .. }), "{error:?}");
    assert!(error.is_permanent());
    drop(
        stub.requests()
            .into_iter()
            .map(|request| assert!(!request.contains(CANARY))),
    );
}
