//! The Hrana client: its dialects, limits and errors, against sqld, tursodb and stubs.

mod misbehaviour;
mod proxies;
mod sqld;
mod tokens;
mod tursodb;

use std::process::Command;
use std::time::Duration;
use std::time::Instant;

use hzl_remote::endpoint::Endpoint;
use hzl_remote::endpoint::InsecureHttp;
use hzl_remote::error::Phase;
use hzl_remote::error::RemoteError;
use hzl_remote::error::SqlErrorKind;
use hzl_remote::error::Unreachability;
use hzl_remote::hrana::Hrana;
use hzl_remote::hrana::Outcome;
use hzl_remote::hrana::Rows;
use hzl_remote::hrana::Statement;
use hzl_remote::hrana::Value;
use hzl_remote::http::Timeouts;
use hzl_remote::secret::Secret;
use hzl_testkit::servers::Access;
use hzl_testkit::servers::Auth;
use hzl_testkit::servers::Sqld;
use hzl_testkit::servers::Tursodb;
use hzl_testkit::stub::Stub;
use serde_json::json;

/// A token for stubs, to be searched for in everything that comes back.
const CANARY: &str = "c4nary-t0ken";
/// Generous: the machines that run tests are busy. Nothing here waits for it to pass.
const PATIENT: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    total: Duration::from_secs(30),
};

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, InsecureHttp::Refused).expect("a good address")
}

fn client(url: &str, token: Option<&str>) -> Hrana {
    Hrana::new(endpoint(url), token.map(Secret::new), PATIENT)
}

fn statement(sql: &'static str) -> Statement {
    Statement::new(sql, vec![])
}

fn select_one(hrana: &mut Hrana) -> Result<Vec<Outcome>, RemoteError> {
    hrana.pipeline(&[statement("select 1")])
}

/// Runs one statement that must succeed.
#[track_caller]
fn run(hrana: &mut Hrana, sql: &'static str, args: Vec<Value>) -> Rows {
    let mut outcomes = hrana
        .pipeline(&[Statement::new(sql, args)])
        .expect("a reply");
    outcomes
        .pop()
        .expect("one outcome")
        .expect("a statement that succeeds")
}

/// Returns the error of a server that answers everything like this, after checking that the token
/// does not leak into it.
#[track_caller]
fn failure_at(stub: &Stub) -> RemoteError {
    let error = select_one(&mut client(&stub.url(), Some(CANARY))).expect_err("no usable reply");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(CANARY), "{shown}");
    assert!(shown.chars().count() < 1500, "{shown}");
    error
}

/// Values that get lost easily.
fn nasty_values() -> Vec<Value> {
    vec![
        Value::Null,
        Value::Integer(i64::MIN),
        Value::Integer(9_007_199_254_740_993),
        Value::Real(-0.1),
        Value::Text("q\"uo\\te 'x' \u{0} \n \u{1f600} \u{202e} \u{2028} 007".to_owned()),
        Value::Text(String::new()),
        Value::Blob(vec![0, 1, 254, 255]),
        Value::Blob(vec![]),
    ]
}

#[track_caller]
fn batch_stops_at_the_first_failure(hrana: &mut Hrana) {
    run(hrana, "create table t (a text unique)", vec![]);
    let insert = |text: &str| Statement::new("insert into t values (?)", vec![text.into()]);
    let before = hrana.requests();
    let outcomes = hrana
        .batch(&[insert("x"), insert("x"), insert("y"), statement("select 1")])
        .expect("a reply");
    assert_eq!(hrana.requests(), before + 1);
    let [Some(Ok(_)), Some(Err(error)), None, None] = outcomes.as_slice() else {
        panic!("done, failed, not run, not run; not {outcomes:?}")
    };
    assert_eq!(error.kind(), SqlErrorKind::Constraint);
    let rows = run(hrana, "select a from t", vec![]);
    assert_eq!(rows.rows, [vec![Value::from("x")]]);

    let outcomes = hrana
        .batch(&[statement("select 1 as one"), statement("select 2 as two")])
        .expect("a reply");
    let values: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| outcome.expect("it was run").expect("it succeeded").rows)
        .collect();
    assert_eq!(
        values,
        [vec![vec![Value::Integer(1)]], vec![vec![Value::Integer(2)]]]
    );
}
