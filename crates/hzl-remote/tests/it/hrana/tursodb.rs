//! The other server, which speaks a dialect.

use super::*;

#[test]
fn its_dialect_is_learnt_once() {
    let tursodb = Tursodb::start();
    let mut hrana = client(&tursodb.url(), None);
    let values = nasty_values();
    let rows = run(
        &mut hrana,
        "select ?1 as a, ?2, ?3, ?4, ?5, ?6, ?7, ?8",
        values.clone(),
    );
    assert_eq!(rows.rows, [values]);
    assert_eq!(hrana.requests(), 2, "one rejected, one good");
    run(&mut hrana, "create table t (a text unique)", vec![]);
    let outcomes = hrana
        .pipeline(&[
            Statement::new("insert into t values (?) returning a", vec!["x".into()]),
            Statement::without_rows("insert into t values (?)", vec!["x".into()]),
            statement("select * from nowhere"),
        ])
        .expect("a reply");
    assert_eq!(hrana.requests(), 4);
    assert_eq!(
        outcomes[0].as_ref().expect("inserted").rows,
        [vec![Value::from("x")]]
    );
    let kinds = outcomes[1..]
        .iter()
        .map(|outcome| outcome.as_ref().expect_err("bad").kind());
    assert!(kinds.eq([SqlErrorKind::Constraint, SqlErrorKind::NoSuchTable]));
}

#[test]
fn a_batch_stops_at_the_first_failure() {
    let tursodb = Tursodb::start();
    batch_stops_at_the_first_failure(&mut client(&tursodb.url(), None));
}

#[test]
fn a_client_outlives_a_restart_of_the_server() {
    let mut tursodb = Tursodb::start();
    let mut hrana = client(&tursodb.url(), None);
    run(&mut hrana, "create table t (a)", vec![]);
    tursodb.stop();
    let error = select_one(&mut hrana).expect_err("nobody listens");
    assert!(
        matches!(error, RemoteError::Unreachable { .. }),
        "{error:?}"
    );
    tursodb.restart();
    run(&mut hrana, "insert into t values (1)", vec![]);
}
