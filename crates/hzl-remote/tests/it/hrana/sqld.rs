//! The reference server: results, batches, limits.

use super::*;

#[test]
fn values_survive_the_round_trip() {
    let sqld = Sqld::start(Auth::None);
    let mut hrana = client(&sqld.url(), None);
    let values = nasty_values();
    let rows = run(
        &mut hrana,
        "select ?1 as a, ?2, ?3, ?4, ?5, ?6, ?7, ?8",
        values.clone(),
    );
    assert_eq!(rows.rows, [values]);
    assert_eq!(rows.columns[0], "a");
    assert_eq!(hrana.requests(), 1);
}

#[test]
fn each_statement_of_a_pipeline_has_its_own_outcome() {
    let sqld = Sqld::start(Auth::None);
    let mut hrana = client(&sqld.url(), None);
    let outcomes = hrana
        .pipeline(&[
            statement("create table t (a text unique)"),
            Statement::without_rows("insert into t values (?) returning a", vec!["x".into()]),
            Statement::new("insert into t values (?)", vec!["x".into()]),
            statement("select * from nowhere"),
            statement("select 1; select 2"),
            statement("select count(*) from t"),
        ])
        .expect("a reply");
    assert_eq!(hrana.requests(), 1);
    let [created, inserted, duplicate, missing, two, counted] = outcomes.as_slice() else {
        panic!("six outcomes, not {outcomes:?}")
    };
    assert!(created.is_ok());
    // sqld sends the rows although they are not wanted.
    let expected = Rows {
        affected_row_count: 1,
        ..Rows::default()
    };
    assert_eq!(inserted.as_ref(), Ok(&expected));
    assert_eq!(kind(duplicate), SqlErrorKind::Constraint);
    assert_eq!(kind(missing), SqlErrorKind::NoSuchTable);
    assert_eq!(
        two.as_ref().expect_err("one statement only").code,
        "SQL_MANY_STATEMENTS"
    );
    assert_eq!(
        counted.as_ref().expect("a count").rows,
        [vec![Value::Integer(1)]]
    );
}

#[test]
fn no_statements_is_a_request_without_effect() {
    let sqld = Sqld::start(Auth::None);
    let mut hrana = client(&sqld.url(), None);
    assert_eq!(hrana.pipeline(&[]).expect("a reply"), []);
    assert_eq!(hrana.batch(&[]).expect("a reply"), []);
}

#[test]
fn a_batch_stops_at_the_first_failure() {
    let sqld = Sqld::start(Auth::None);
    batch_stops_at_the_first_failure(&mut client(&sqld.url(), None));
}

#[test]
fn a_batch_that_cannot_be_parsed_has_no_effect() {
    let sqld = Sqld::start(Auth::None);
    let mut hrana = client(&sqld.url(), None);
    run(&mut hrana, "create table t (a)", vec![]);
    let error = hrana
        .batch(&[statement("insert into t values (1)"), statement("selec")])
        .expect_err("a refusal");
    assert!(matches!(&error, RemoteError::BatchRefused(sql) if sql.code == "SQL_PARSE_ERROR"));
    let count = run(&mut hrana, "select count(*) from t", vec![]);
    assert_eq!(count.rows, [vec![Value::Integer(0)]]);
}

#[test]
fn a_batch_whose_results_are_too_large_has_done_its_first_steps() {
    let sqld = Sqld::start(Auth::None);
    let mut hrana = client(&sqld.url(), None);
    run(&mut hrana, "create table t (a)", vec![]);
    let four_megabytes = statement("select hex(zeroblob(2000000))");
    let error = hrana
        .batch(&[
            statement("insert into t values (1)"),
            four_megabytes.clone(),
            four_megabytes.clone(),
            four_megabytes,
            statement("insert into t values (2)"),
        ])
        .expect_err("a refusal");
    let RemoteError::BatchRefused(sql) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(sql.kind(), SqlErrorKind::TooBig);
    let rows = run(&mut hrana, "select a from t", vec![]);
    assert_eq!(rows.rows, [vec![Value::Integer(1)]]);
}

#[test]
fn values_up_to_five_million_bytes_pass() {
    let sqld = Sqld::start(Auth::None);
    let mut hrana = client(&sqld.url(), None);
    let text = "x".repeat(5_000_000);
    let rows = run(&mut hrana, "select ?", vec![text.as_str().into()]);
    assert_eq!(rows.rows, [vec![Value::Text(text.clone())]]);
    let outcomes = hrana
        .pipeline(&[
            Statement::new("select length(?)", vec![format!("{text}x").into()]),
            statement("select hex(zeroblob(3000000))"),
            statement(
                "with recursive c (i) as (select 1 union all select i + 1 from c where i < 12)
                 select hex(zeroblob(500000)) from c",
            ),
        ])
        .expect("a reply");
    let kinds: Vec<_> = outcomes.iter().map(kind).collect();
    assert_eq!(kinds, [SqlErrorKind::TooBig; 3], "argument, value, result");
}

#[test]
fn a_client_outlives_a_restart_of_the_server() {
    let mut sqld = Sqld::start(Auth::None);
    let mut hrana = client(&sqld.url(), None);
    run(&mut hrana, "create table t (a)", vec![]);
    sqld.restart();
    run(&mut hrana, "insert into t values (1)", vec![]);
    sqld.stop();
    let error = select_one(&mut hrana).expect_err("nobody listens");
    assert!(matches!(
        error,
        RemoteError::Unreachable {
            cause: Unreachability::Refused,
            ..
        }
    ));
    assert_eq!((error.code(), error.is_permanent()), ("unreachable", false));
    sqld.restart();
    select_one(&mut hrana).expect("a reply");
    assert_eq!(hrana.requests(), 4);
}

#[test]
fn text_that_is_not_utf_8_fails_the_whole_request() {
    // Today's behaviour of the server, and bad: such a row, which only a hostile client can
    // write, makes every request that selects it fail with a status meant for passing trouble.
    let sqld = Sqld::start(Auth::None);
    let mut hrana = client(&sqld.url(), None);
    let error = hrana
        .pipeline(&[
            statement("select 1"),
            statement("select cast(x'ff' as text)"),
        ])
        .expect_err("no reply");
    assert!(
        matches!(error, RemoteError::Server { status: 500, .. }),
        "{error:?}"
    );
    assert_eq!(hrana.requests(), 1, "only a rejected `close` is sent again");
}

fn kind(outcome: &Outcome) -> SqlErrorKind {
    outcome.as_ref().expect_err("a failed statement").kind()
}
