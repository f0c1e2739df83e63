//! The database that devices share, and what happens to requests on the way.
//!
//! The statements are the product's; they run on a real SQLite in memory, or on a real server behind
//! [`Database`]. Only the clock is replaced.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hzl_core::time::Timestamp;
use hzl_remote::error::{Phase, RemoteError, SqlError};
use hzl_remote::hrana::{Hrana, Outcome, Rows, Statement, Value};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{Value as SqlValue, ValueRef};

/// Whatever runs statements: SQLite in memory, or a server.
pub trait Database {
    /// Runs statements, each on its own, at this time of the server's clock.
    ///
    /// # Errors
    /// When there is no usable reply.
    fn run(
        &mut self,
        statements: &[Statement],
        now: Timestamp,
    ) -> Result<Vec<Outcome>, RemoteError>;
}

/// What happens to one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing.
    None,
    /// It never arrives.
    RequestLost,
    /// It is carried out, and nobody hears of it.
    ReplyLost,
    /// It arrives twice.
    Twice,
    /// Nobody hears of it, and it is carried out much later.
    Late,
    /// The server dies after so many of its statements.
    Half(u8),
    /// 503: it is not carried out.
    Unavailable,
    /// 401: it is not carried out.
    Unauthorized,
    /// Its first statement finds the database busy.
    Busy,
    /// It is carried out, and the reply is no page.
    Garbage,
    /// 413: it is too large.
    TooLarge,
}

/// A cloud database.
pub struct Cloud {
    database: RefCell<Box<dyn Database>>,
    /// Requests under way for a long time.
    late: RefCell<Vec<Vec<Statement>>>,
    /// Server time minus true time.
    pub(crate) clock_error_ms: Cell<i64>,
    /// The token of all devices may only read.
    pub(crate) read_only: Cell<bool>,
    has_backup: Cell<bool>,
    requests: Cell<u64>,
}

/// The tables of hzl.
pub(crate) const TABLES: [&str; 3] = ["hzl_events", "hzl_devices", "hzl_meta"];

/// The next row gets the sequence after the last one that is there.
const LAST_IS_LAST: &str = "
    update sqlite_sequence set seq = (select coalesce(max(seq), 0) from hzl_events)
     where name = 'hzl_events'";

impl Cloud {
    /// A new cloud on a database without our tables.
    #[must_use]
    pub fn new(database: Box<dyn Database>) -> Self {
        Self {
            database: RefCell::new(database),
            late: RefCell::new(vec![]),
            clock_error_ms: Cell::new(0),
            read_only: Cell::new(false),
            has_backup: Cell::new(false),
            requests: Cell::new(0),
        }
    }

    /// Requests that were carried out.
    pub fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Carries a request out, with what happens to it on the way.
    ///
    /// # Errors
    /// What the client sees of the fault.
    pub fn request(
        &self,
        statements: &[Statement],
        fault: Fault,
        true_ms: i64,
    ) -> Result<Vec<Outcome>, RemoteError> {
        match fault {
            Fault::RequestLost => return Err(lost()),
            Fault::Late => {
                self.late.borrow_mut().push(statements.to_vec());
                return Err(lost());
            }
            Fault::Unavailable => {
                let message = "try again".to_owned();
                return Err(RemoteError::Server {
                    status: 503,
                    message,
                });
            }
            Fault::Unauthorized => {
                let message = "expired".to_owned();
                return Err(RemoteError::Unauthorized { message });
            }
            Fault::TooLarge => {
                let message = "too large".to_owned();
                return Err(RemoteError::BadRequest {
                    status: 413,
                    message,
                });
            }
            Fault::None
            | Fault::ReplyLost
            | Fault::Twice
            | Fault::Half(_)
            | Fault::Busy
            | Fault::Garbage => {}
        }
        if self.read_only.get() && statements.iter().any(writes) {
            let message = "this token may only read".to_owned();
            return Err(RemoteError::Forbidden { message });
        }
        self.deliver_late(true_ms);
        match fault {
            Fault::Half(count) => {
                let count = usize::from(count).min(statements.len());
                self.run(&statements[..count], true_ms)?;
                Err(lost())
            }
            Fault::Busy => {
                let mut outcomes = vec![Err(SqlError {
                    code: "SQLITE_BUSY".into(),
                    message: "database is locked".into(),
                })];
                outcomes.extend(self.run(&statements[1..], true_ms)?);
                Ok(outcomes)
            }
            Fault::Garbage => {
                let outcomes = self.run(statements, true_ms)?;
                Ok(outcomes.into_iter().map(|_| Ok(Rows::default())).collect())
            }
            Fault::Twice => {
                let first = self.run(statements, true_ms)?;
                self.run(statements, true_ms)?;
                Ok(first)
            }
            Fault::ReplyLost => {
                self.run(statements, true_ms)?;
                Err(lost())
            }
            _ => self.run(statements, true_ms),
        }
    }

    /// Lets what was under way for long arrive.
    pub(crate) fn deliver_late(&self, true_ms: i64) {
        let late = std::mem::take(&mut *self.late.borrow_mut());
        for statements in late {
            // Whoever sent it is no longer listening.
            drop(self.run(&statements, true_ms));
        }
    }

    /// Loses the last `count` rows, as a restored backup does: the next row gets a sequence that was in
    /// use before.
    ///
    /// # Panics
    /// If the database fails.
    pub fn rewind(&self, count: u32, true_ms: i64) {
        self.tamper(
            "delete from hzl_events where seq in (select seq from hzl_events order by seq desc limit ?1)",
            vec![Value::from(i64::from(count))],
            true_ms,
        );
        self.tamper(LAST_IS_LAST, vec![], true_ms);
    }

    /// Keeps a copy of everything, as a provider's backup does, if all tables are there.
    ///
    /// # Panics
    /// If the database fails.
    pub fn back_up(&self, true_ms: i64) {
        if !self.is_complete(true_ms) {
            return;
        }
        for table in TABLES {
            for sql in [
                format!("drop table if exists kept_{table}"),
                format!("create table kept_{table} as select * from {table}"),
            ] {
                self.tamper(&sql, vec![], true_ms);
            }
        }
        self.has_backup.set(true);
    }

    /// Puts the backup back: events, devices, and what the cloud knew of itself. Tells whether there was one.
    ///
    /// # Panics
    /// If the database fails.
    pub fn restore(&self, true_ms: i64) -> bool {
        if !self.has_backup.get() || !self.is_complete(true_ms) {
            return false;
        }
        for table in TABLES {
            for sql in [
                format!("delete from {table}"),
                format!("insert into {table} select * from kept_{table}"),
            ] {
                self.tamper(&sql, vec![], true_ms);
            }
        }
        self.tamper(LAST_IS_LAST, vec![], true_ms);
        true
    }

    fn is_complete(&self, true_ms: i64) -> bool {
        TABLES.iter().all(|table| self.has_table(table, true_ms))
    }

    /// Tells whether this table is there.
    pub(crate) fn has_table(&self, name: &str, true_ms: i64) -> bool {
        let sql = "select count(*) from sqlite_master where name = ?1";
        let found = self.tamper(sql, vec![Value::from(name)], true_ms);
        found.rows == vec![vec![Value::Integer(1)]]
    }

    /// Runs one statement that no hzl would send.
    ///
    /// # Panics
    /// If the database fails.
    pub fn tamper(&self, sql: &str, args: Vec<Value>, true_ms: i64) -> Rows {
        let statement = Statement::new(sql.to_owned(), args);
        let outcome = self
            .run(&[statement], true_ms)
            .expect("the database answers");
        outcome
            .into_iter()
            .next()
            .expect("a statement has an outcome")
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    fn run(&self, statements: &[Statement], true_ms: i64) -> Result<Vec<Outcome>, RemoteError> {
        self.requests.set(self.requests.get() + 1);
        let now = Timestamp::from_millis(true_ms + self.clock_error_ms.get());
        self.database.borrow_mut().run(statements, now)
    }
}

fn writes(statement: &Statement) -> bool {
    !statement.sql.trim_start().starts_with("select")
}

pub(crate) fn lost() -> RemoteError {
    RemoteError::Timeout {
        host: "cloud".to_owned(),
        phase: Phase::Reply,
        limit: Duration::ZERO,
    }
}

/// More than a sync has.
const STATEMENTS_KEPT: usize = 64;

/// A database in memory, in which it is as late as it is told.
pub struct InMemory {
    conn: Connection,
    now_ms: Arc<AtomicI64>,
}

impl InMemory {
    /// An empty one.
    ///
    /// # Panics
    /// If there is no memory.
    #[must_use]
    pub fn new() -> Self {
        let conn = Connection::open_in_memory().expect("a database in memory can be opened");
        let now_ms = Arc::new(AtomicI64::new(0));
        let told = Arc::clone(&now_ms);
        // The product asks for the time in one way only.
        let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_INNOCUOUS;
        conn.create_scalar_function("strftime", 2, flags, move |_| {
            Ok(Timestamp::from_millis(told.load(Ordering::Relaxed)).to_string())
        })
        .expect("a function can be replaced");
        // Else a statement that is kept is prepared anew whenever another value is bound to it.
        conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
            .expect("a connection can be configured");
        conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        Self { conn, now_ms }
    }

    /// The database itself, for what no hzl would do to it.
    #[must_use]
    pub const fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Runs statements, each on its own, at this time.
    pub fn execute(&self, statements: &[Statement], now: Timestamp) -> Vec<Outcome> {
        self.now_ms.store(now.millis(), Ordering::Relaxed);
        statements.iter().map(|one| self.run_one(one)).collect()
    }

    fn run_one(&self, statement: &Statement) -> Outcome {
        self.query(statement).map_err(|error| SqlError {
            code: match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::ConstraintViolation) => "SQLITE_CONSTRAINT",
                _ => "SQLITE_UNKNOWN",
            }
            .to_owned(),
            message: error.to_string(),
        })
    }

    fn query(&self, statement: &Statement) -> rusqlite::Result<Rows> {
        let mut prepared = self.conn.prepare_cached(&statement.sql)?;
        let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
        let width = columns.len();
        let args = statement.args.iter().map(to_sql);
        let mut rows = prepared.query(rusqlite::params_from_iter(args))?;
        let mut read = vec![];
        while let Some(row) = rows.next()? {
            let values = (0..width).map(|column| Ok(from_sql(row.get_ref(column)?)));
            read.push(values.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        drop(rows);
        drop(prepared);
        Ok(Rows {
            columns,
            rows: read,
            affected_row_count: self.conn.changes(),
        })
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl Database for InMemory {
    fn run(
        &mut self,
        statements: &[Statement],
        now: Timestamp,
    ) -> Result<Vec<Outcome>, RemoteError> {
        Ok(self.execute(statements, now))
    }
}

/// A real server; its clock is replaced in the text of each statement.
impl Database for Hrana {
    fn run(
        &mut self,
        statements: &[Statement],
        now: Timestamp,
    ) -> Result<Vec<Outcome>, RemoteError> {
        let now = format!("'{now}'");
        let with_clock = |statement: &Statement| Statement {
            sql: statement.sql.replace(NOW, &now).into(),
            ..statement.clone()
        };
        let statements: Vec<Statement> = statements.iter().map(with_clock).collect();
        self.pipeline(&statements)
    }
}

const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

fn to_sql(value: &Value) -> SqlValue {
    match value {
        Value::Null => SqlValue::Null,
        Value::Integer(number) => SqlValue::Integer(*number),
        Value::Real(number) => SqlValue::Real(*number),
        Value::Text(text) => SqlValue::Text(text.clone()),
        Value::Blob(bytes) => SqlValue::Blob(bytes.clone()),
    }
}

fn from_sql(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}
