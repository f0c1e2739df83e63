//! A client for the Hrana protocol over HTTP (`POST /v2/pipeline`), as far as it is needed.
//!
//! Statements with positional parameters in, rows out. There are no interactive transactions: they
//! cost a round trip per statement and block everybody when a client dies. What belongs together
//! goes into one statement or one [`Hrana::batch`].
//!
//! Two dialects: `tursodb` rejects requests that hold a `close`, `sqld` keeps a connection open for
//! ten seconds without it. A rejection is noticed, remembered, and the request sent once more,
//! which is safe because nothing of a rejected request runs.

mod wire;

use std::borrow::Cow;
use std::thread;

use crate::endpoint::Endpoint;
use crate::error::RemoteError;
use crate::error::SqlError;
use crate::error::clean;
use crate::http::Http;
use crate::http::Reply;
use crate::http::Timeouts;
use crate::secret::Secret;

/// One SQL statement and the values of its `?` parameters.
///
/// Exactly one: of two, `tursodb` silently runs only the first. Parameters by position only: it
/// silently binds NULL to named ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Statement {
    /// The text.
    pub sql: Cow<'static, str>,
    /// The values of `?1`, `?2`, …
    pub args: Vec<Value>,
    /// Whether the resulting rows are wanted. If not, [`Rows::rows`] stays empty.
    pub want_rows: bool,
}

impl Statement {
    /// Makes a statement whose rows are wanted.
    #[must_use]
    pub fn new(sql: impl Into<Cow<'static, str>>, args: Vec<Value>) -> Self {
        Self {
            sql: sql.into(),
            args,
            want_rows: true,
        }
    }

    /// Makes a statement whose rows are not wanted.
    #[must_use]
    pub fn without_rows(sql: impl Into<Cow<'static, str>>, args: Vec<Value>) -> Self {
        Self {
            sql: sql.into(),
            args,
            want_rows: false,
        }
    }
}

/// A value of SQLite.
///
/// Numbers that are not finite do not exist on the wire; they are sent and received as NULL.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What a statement returned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rows {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows, each as long as `columns`.
    pub rows: Vec<Vec<Value>>,
    /// How many rows were changed. Always 0 on `tursodb`: use `returning` to know.
    pub affected_row_count: u64,
}

/// What became of one statement of a pipeline.
pub type Outcome = Result<Rows, SqlError>;

/// A client of one database.
#[derive(Debug)]
pub struct Hrana {
    http: Http,
    dialect: Dialect,
    requests: u64,
}

/// What a server thinks of `close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    WithClose,
    WithoutClose,
}

impl Hrana {
    /// Makes a client. Connects only when something is sent.
    #[must_use]
    pub fn new(endpoint: Endpoint, token: Option<Secret>, timeouts: Timeouts) -> Self {
        let http = Http::new(endpoint, token, timeouts);
        Self {
            http,
            dialect: Dialect::WithClose,
            requests: 0,
        }
    }

    /// Runs statements one after the other in one round trip, each whatever became of the others.
    /// Returns one outcome per statement.
    ///
    /// # Errors
    ///
    /// When there is no usable reply. Unless the error is a refusal, statements may have run.
    pub fn pipeline(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, RemoteError> {
        let requests = statements.iter().map(wire::Request::execute).collect();
        let results = self.exchange(requests)?;
        outcomes(results, statements, self.http.token()).map_err(|reason| self.bad_reply(reason))
    }

    /// Runs statements as [`Hrana::pipeline`] does, on a second thread, while this one does some work.
    ///
    /// # Errors
    ///
    /// As [`Hrana::pipeline`]; the work is done all the same.
    pub fn pipeline_beside(
        &mut self,
        statements: &[Statement],
        work: &mut dyn FnMut(),
    ) -> Result<Vec<Outcome>, RemoteError> {
        let request = thread::scope(|scope| {
            let request = thread::Builder::new().spawn_scoped(scope, || self.pipeline(statements));
            work();
            Some(request.ok()?.join())
        });
        match request {
            Some(Ok(reply)) => reply,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            // No thread is to be had: nothing was sent.
            None => self.pipeline(statements),
        }
    }

    /// Runs statements in one round trip, each only if the one before succeeded. Returns one
    /// outcome per statement, `None` for those that were not run.
    ///
    /// This is no transaction: what was done stays done. For one, add `begin` and `commit`.
    ///
    /// # Errors
    ///
    /// - [`RemoteError::BatchRefused`]: a statement cannot be parsed, then none has run; or the
    ///   results together are larger than the server allows, then some have.
    /// - Otherwise when there is no usable reply. Unless it is a refusal, statements may have run.
    pub fn batch(&mut self, statements: &[Statement]) -> Result<Vec<Option<Outcome>>, RemoteError> {
        let results = self.exchange(vec![wire::Request::batch(statements)])?;
        let result = match results.into_iter().next() {
            Some(wire::Result::Ok {
                response: wire::Response::Batch { result },
            }) => result,
            Some(wire::Result::Error { error }) => {
                return Err(RemoteError::BatchRefused(self.sql_error(&error)));
            }
            _ => return Err(self.bad_reply("it answers another question")),
        };
        let count = statements.len();
        if result.step_results.len() != count || result.step_errors.len() != count {
            return Err(self.bad_reply("it has not one result per step"));
        }
        result
            .step_results
            .into_iter()
            .zip(result.step_errors)
            .zip(statements)
            .map(|((result, error), statement)| match (result, error) {
                (_, Some(error)) => Ok(Some(Err(self.sql_error(&error)))),
                (Some(result), None) => Ok(Some(Ok(self.rows(result, statement)?))),
                (None, None) => Ok(None),
            })
            .collect()
    }

    /// Leaves out the request `close` from the start: this server was seen to reject it.
    pub fn leave_out_close(&mut self) {
        self.dialect = Dialect::WithoutClose;
    }

    /// Tells whether the server rejects the request `close`.
    #[must_use]
    pub fn rejects_close(&self) -> bool {
        self.dialect == Dialect::WithoutClose
    }

    /// Returns how many HTTP requests were made, failed ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Returns the server this client talks to.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        self.http.endpoint()
    }

    /// Sends requests, with a `close` behind them if the server likes that, and returns their
    /// results, exactly one each.
    fn exchange(
        &mut self,
        mut requests: Vec<wire::Request<'_>>,
    ) -> Result<Vec<wire::Result>, RemoteError> {
        let count = requests.len();
        requests.push(wire::Request::Close);
        loop {
            if self.dialect == Dialect::WithoutClose {
                requests.truncate(count);
            }
            let body = wire::pipeline(&requests);
            self.requests += 1;
            let body = match self.http.post(&body)? {
                Reply::Body(body) => body,
                Reply::InternalError(message)
                    if self.dialect == Dialect::WithClose && rejects_close(&message) =>
                {
                    self.dialect = Dialect::WithoutClose;
                    continue;
                }
                Reply::InternalError(message) => {
                    return Err(RemoteError::Server {
                        status: 500,
                        message,
                    });
                }
            };
            let mut results = wire::results(&body)
                .map_err(|error| self.bad_reply(&format!("it is not Hrana: {error}")))?;
            if results.len() != requests.len() {
                return Err(self.bad_reply("it has not one result per request"));
            }
            // A failed `close` harms nobody: the server cleans up by itself later.
            results.truncate(count);
            return Ok(results);
        }
    }

    fn rows(&self, result: wire::Rows, statement: &Statement) -> Result<Rows, RemoteError> {
        rows(result, statement).map_err(|reason| self.bad_reply(reason))
    }

    fn sql_error(&self, error: &wire::Error) -> SqlError {
        sql_error(error, self.http.token())
    }

    fn bad_reply(&self, reason: &str) -> RemoteError {
        let host = self.endpoint().host().to_owned();
        RemoteError::BadReply {
            host,
            reason: clean(reason, self.http.token()),
        }
    }
}

/// Reads the body of a reply to these statements, as [`Hrana::pipeline`] does.
///
/// # Errors
///
/// What is wrong with it.
pub fn read_reply(body: &[u8], statements: &[Statement]) -> Result<Vec<Outcome>, String> {
    let results = wire::results(body).map_err(|error| error.to_string())?;
    if results.len() != statements.len() {
        return Err("it has not one result per statement".to_owned());
    }
    outcomes(results, statements, None).map_err(str::to_owned)
}

fn outcomes(
    results: Vec<wire::Result>,
    statements: &[Statement],
    token: Option<&Secret>,
) -> Result<Vec<Outcome>, &'static str> {
    results
        .into_iter()
        .zip(statements)
        .map(|(result, statement)| match result {
            wire::Result::Ok {
                response: wire::Response::Execute { result },
            } => Ok(Ok(rows(result, statement)?)),
            wire::Result::Error { error } => Ok(Err(sql_error(&error, token))),
            wire::Result::Ok { .. } => Err("it answers another question"),
        })
        .collect()
}

/// `sqld` sends rows even if they are not wanted, `tursodb` does not; callers see no difference.
fn rows(result: wire::Rows, statement: &Statement) -> Result<Rows, &'static str> {
    let rows = result.decode()?;
    Ok(if statement.want_rows {
        rows
    } else {
        Rows {
            affected_row_count: rows.affected_row_count,
            ..Rows::default()
        }
    })
}

fn sql_error(error: &wire::Error, token: Option<&Secret>) -> SqlError {
    SqlError {
        code: clean(error.code.as_deref().unwrap_or("UNKNOWN"), token),
        message: clean(&error.message, token),
    }
}

/// Recognises `unknown variant `close`, expected `execute` or `batch``.
fn rejects_close(message: &str) -> bool {
    message.contains("unknown variant") && message.contains("`close`")
}
