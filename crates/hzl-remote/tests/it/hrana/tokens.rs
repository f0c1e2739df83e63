//! Tokens: who may do what, and which error says so.

use super::*;

const CREATE: &str = "create table if not exists t (a)";

fn outcome(sqld: &Sqld, token: Option<&str>, sql: &'static str) -> Result<(), RemoteError> {
    let outcomes = client(&sqld.url(), token).pipeline(&[statement(sql)])?;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    Ok(())
}

#[test]
fn good_tokens_open_what_they_permit() {
    let sqld = Sqld::start(Auth::Jwt);
    let writer = sqld.token(Access::ReadWrite, 3600);
    outcome(&sqld, Some(&writer), CREATE).expect("a writer writes");
    let reader = sqld.token(Access::ReadOnly, 3600);
    outcome(&sqld, Some(&reader), "select * from t").expect("a reader reads");
    let error = outcome(&sqld, Some(&reader), CREATE).expect_err("a reader does not write");
    assert!(matches!(&error, RemoteError::Forbidden { message } if message.contains("Write")));
    assert!(error.is_permanent());
    let error = client(&sqld.url(), Some(&reader))
        .batch(&[
            statement("select 1"),
            statement("delete from t"),
            statement("select 2"),
        ])
        .expect_err("one write is enough to refuse the whole request");
    assert!(matches!(error, RemoteError::Forbidden { .. }));
}

#[test]
fn bad_tokens_are_unauthorized() {
    let sqld = Sqld::start(Auth::Jwt);
    let expired = sqld.token(Access::ReadWrite, -120);
    let stranger = Sqld::start(Auth::Jwt).token(Access::ReadWrite, 3600);
    let tokens = [
        None,
        Some(expired.as_str()),
        Some(stranger.as_str()),
        Some("garbage"),
        Some(""),
    ];
    for token in tokens.into_iter().chain([Some("a\r\nX-Evil: 1")]) {
        let error = outcome(&sqld, token, "select 1").expect_err("a refusal");
        assert!(
            matches!(error, RemoteError::Unauthorized { .. }),
            "{token:?}: {error:?}"
        );
        assert!(error.is_permanent());
    }
    let error = outcome(&sqld, Some(&expired), "select 1").expect_err("a refusal");
    assert!(error.to_string().contains("expired"), "{error}");
}

#[test]
fn an_expired_token_has_a_minute_of_grace() {
    let sqld = Sqld::start(Auth::Jwt);
    outcome(&sqld, Some(&sqld.token(Access::ReadWrite, -20)), CREATE).expect("leeway");
}

#[test]
fn a_token_for_another_database_finds_nothing() {
    let sqld = Sqld::start(Auth::Jwt);
    for token in [
        sqld.token_for_database("other"),
        sqld.token_with_claims(&json!({ "a": "ro", "id": "other" })),
    ] {
        let error = outcome(&sqld, Some(&token), "select 1").expect_err("a refusal");
        assert!(matches!(error, RemoteError::NotFound { .. }), "{error:?}");
        assert!(error.is_permanent());
    }
}
