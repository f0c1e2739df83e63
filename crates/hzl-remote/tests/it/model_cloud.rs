//! A cloud in memory: the real statements on a real SQLite, and faults on the way.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails has failed its test"
)]

use hzl_remote::error::{Phase, RemoteError};
use hzl_remote::hrana::{Outcome, Statement};
use hzl_remote::sync::remote::Remote;
use hzl_remote::sync::{Report, SyncOptions, sync};
use hzl_sim::cloud::InMemory;
use hzl_store::source::{Clock as _, SystemClock};
use rusqlite::Connection;

use crate::devices::Device;

/// What happens to a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// It never arrives.
    RequestLost,
    /// It is carried out, and nobody hears of it.
    ReplyLost,
}

/// The database that devices share.
pub(crate) struct ModelCloud {
    database: InMemory,
}

/// A sync that nothing disturbs.
pub(crate) fn exchange(device: &mut Device, cloud: &ModelCloud) -> Report {
    let options = SyncOptions::default();
    let mut line = cloud.line(vec![]);
    sync(&mut device.ledger, &mut line, &options, &mut |_| {}).unwrap()
}

/// One device's connection to it.
pub(crate) struct Line<'cloud> {
    cloud: &'cloud ModelCloud,
    /// The fault of each request to come; then none.
    faults: Vec<Option<Fault>>,
    requests: u64,
}

impl ModelCloud {
    pub(crate) fn new() -> Self {
        Self {
            database: InMemory::new(),
        }
    }

    fn conn(&self) -> &Connection {
        self.database.connection()
    }

    pub(crate) fn line(&self, mut faults: Vec<Option<Fault>>) -> Line<'_> {
        faults.reverse();
        Line {
            cloud: self,
            faults,
            requests: 0,
        }
    }

    /// The ids of all events there, by sequence.
    pub(crate) fn event_ids(&self) -> Vec<String> {
        self.texts("select event_id from hzl_events order by seq")
    }

    fn texts(&self, sql: &str) -> Vec<String> {
        let mut statement = self.conn().prepare(sql).unwrap();
        let texts = statement.query_map([], |row| row.get(0)).unwrap();
        texts.collect::<Result<_, _>>().unwrap()
    }

    /// When all events arrived there, by sequence.
    pub(crate) fn arrivals(&self) -> Vec<String> {
        self.texts("select received_at from hzl_events order by seq")
    }

    /// The status changes of a task there, by sequence, as `from>to`.
    pub(crate) fn status_changes(&self, task_id: &str) -> Vec<String> {
        let sql = "select json_extract(data, '$.from') || '>' || json_extract(data, '$.to')
                     from hzl_events where task_id = ?1 and type = 'status_changed' order by seq";
        let mut statement = self.conn().prepare(sql).unwrap();
        let changes = statement.query_map([task_id], |row| row.get(0)).unwrap();
        changes.collect::<Result<_, _>>().unwrap()
    }

    /// How far a device says it is, and its state hash there.
    pub(crate) fn announcement(&self, device: &str) -> (Option<i64>, Option<String>) {
        let sql = "select acked_seq, state_hash from hzl_devices where device_id = ?1";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
        self.conn().query_row(sql, [device], read).unwrap()
    }

    /// How many devices were last seen at this time.
    pub(crate) fn seen(&self, at: &str) -> u32 {
        let sql = "select count(*) from hzl_devices where last_seen_at = ?1";
        self.conn().query_row(sql, [at], |row| row.get(0)).unwrap()
    }

    /// Refuses every event whose data contains this text.
    pub(crate) fn refuse(&self, text: &str) {
        let trigger = format!(
            "create trigger poison before insert on hzl_events when new.data like '%{text}%'
             begin select raise(abort, 'refused'); end"
        );
        self.conn().execute_batch(&trigger).unwrap();
    }

    /// Accepts everything again.
    pub(crate) fn accept(&self) {
        self.conn().execute_batch("drop trigger poison").unwrap();
    }

    /// Puts a row there that no hzl has written.
    pub(crate) fn plant(&self, event_id: &str, task_id: &str, kind: &str, data: &str) {
        self.conn()
            .execute_batch("pragma ignore_check_constraints = on")
            .unwrap();
        self.conn()
            .execute(
                "insert into hzl_events (event_id, device_id, epoch, basis_seq, task_id, type,
                                         data, timestamp)
                 values (?1, 'stranger', 0, 0, ?2, ?3, ?4, 'not a time')",
                [event_id, task_id, kind, data],
            )
            .unwrap();
        self.conn()
            .execute_batch("pragma ignore_check_constraints = off")
            .unwrap();
    }

    /// Does to the database what no hzl would do.
    pub(crate) fn tamper(&self, sql: &str) {
        self.conn().execute_batch(sql).unwrap();
    }

    /// Loses the last `count` rows, as a restored backup does. The next row gets a sequence that was
    /// in use before.
    pub(crate) fn rewind(&self, count: usize) {
        self.conn()
            .execute(
                "delete from hzl_events where seq in
                   (select seq from hzl_events order by seq desc limit ?1)",
                [i64::try_from(count).unwrap()],
            )
            .unwrap();
        self.conn()
            .execute_batch(
                "update sqlite_sequence
                    set seq = (select coalesce(max(seq), 0) from hzl_events)
                  where name = 'hzl_events'",
            )
            .unwrap();
    }
}

impl Remote for Line<'_> {
    fn pipeline(&mut self, statements: &[Statement]) -> Result<Vec<Outcome>, RemoteError> {
        self.requests += 1;
        let fault = self.faults.pop().flatten();
        let lost = || RemoteError::Timeout {
            host: "model".to_owned(),
            phase: Phase::Reply,
            limit: std::time::Duration::ZERO,
        };
        if fault == Some(Fault::RequestLost) {
            return Err(lost());
        }
        let outcomes = self.cloud.database.execute(statements, SystemClock.now());
        if fault == Some(Fault::ReplyLost) {
            Err(lost())
        } else {
            Ok(outcomes)
        }
    }

    fn requests(&self) -> u64 {
        self.requests
    }
}
