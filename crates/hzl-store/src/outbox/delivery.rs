//! Emptying the queue: deliveries are taken, attempted by hzl-remote, and settled.
//!
//! A delivery is taken under a token and for a time. Its result counts only while the row still has
//! that token, so whoever was too slow, or killed, changes nothing; at the worst it was sent twice.

use hzl_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, named_params};
use serde_json::{Map, Value};

use crate::error::{OnConnection as _, Result};
use crate::ledger::Ledger;

/// After this many attempts a delivery has failed.
pub const MAX_ATTEMPTS: u32 = 8;
/// A delivery that is older has failed.
const LIFETIME_MINUTES: u32 = 24 * 60;
/// How long a delivery belongs to whoever took it. An attempt takes 10 s at most.
const LOCK_MINUTES: u32 = 5;
/// The pauses after the first, the second, … failure; the last one repeats.
const PAUSES_SECONDS: [i64; 5] = [30, 2 * 60, 10 * 60, 60 * 60, 6 * 60 * 60];
/// Longest error that is kept.
const ERROR_CHARS: usize = 280;

/// A delivery that this process is to attempt.
#[derive(Clone, PartialEq, Debug)]
pub struct Delivery {
    /// Row of the queue.
    pub id: i64,
    /// The trigger.
    pub hook_name: String,
    /// Where to.
    pub url: String,
    /// Sent along; values that are no texts are left out.
    pub headers: Vec<(String, String)>,
    /// The body: JSON.
    pub payload: String,
    /// How often it was attempted in vain.
    pub attempts: u32,
    created_at: Timestamp,
    token: String,
}

impl Delivery {
    /// The same for every attempt, and for nothing else: receivers know by it what they have had.
    pub fn delivery_id(&self) -> String {
        let payload: Option<Value> = serde_json::from_str(&self.payload).ok();
        let text = |key: &str| payload.as_ref().and_then(|payload| payload[key].as_str());
        match text("event_id") {
            Some(event_id) => format!("{event_id}.{}", self.hook_name),
            // Queued by HZL 3.2.0.
            None => {
                let timestamp = text("timestamp").unwrap_or_default();
                format!("{timestamp}.{}.{}", self.id, self.hook_name)
            }
        }
    }
}

/// What was put in order before deliveries were taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Waiting ones that are too old or were attempted too often: failed.
    pub expired: usize,
    /// Ones whose taker is gone: waiting again.
    pub reclaimed: usize,
    /// The same, but too old or attempted too often: failed.
    pub reclaimed_failed: usize,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// The receiver has it.
    Delivered,
    /// It may work later.
    Failed(String),
    /// It can never work.
    Refused(String),
}

/// What becomes of a delivery after an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// It is done.
    Delivered,
    /// It waits for its next attempt.
    Waiting,
    /// It has failed for good.
    Failed,
    /// Somebody else has taken it meanwhile; nothing was changed.
    Lost,
}

/// A row of the queue, as it is shown.
#[derive(Clone, PartialEq, Debug)]
pub struct Queued {
    /// Row of the queue.
    pub id: i64,
    /// The trigger.
    pub hook_name: String,
    /// `queued`, `processing`, `delivered` or `failed`.
    pub status: String,
    /// Where to. May hold credentials.
    pub url: String,
    /// Names of the headers; the values may be credentials.
    pub header_names: Vec<String>,
    /// What is sent.
    pub payload: Value,
    /// How often it was attempted in vain.
    pub attempts: u32,
    /// When it is attempted next, if it waits.
    pub next_attempt_at: Option<String>,
    /// When it arrived.
    pub delivered_at: Option<String>,
    /// When it was given up.
    pub failed_at: Option<String>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was queued, or queued again by hand.
    pub created_at: String,
}

const LIST: &str = "
    select id, hook_name, status, url, headers, payload, attempts,
           case status when 'queued' then next_attempt_at end,
           delivered_at, failed_at, last_error, created_at
      from hook_outbox
     where (:status is null or status = :status) and (:id is null or id = :id)
     order by id desc limit :limit";

/// Lists deliveries, the latest first; of one status, or all.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list(log: &Connection, status: Option<&str>, limit: u32) -> Result<Vec<Queued>> {
    select(log, status, None, limit)
}

/// Finds a delivery.
///
/// # Errors
/// Whatever SQLite reports.
pub fn find(log: &Connection, id: i64) -> Result<Option<Queued>> {
    Ok(select(log, None, Some(id), 1)?.pop())
}

fn select(
    log: &Connection,
    status: Option<&str>,
    id: Option<i64>,
    limit: u32,
) -> Result<Vec<Queued>> {
    let mut statement = log.prepare_cached(LIST).on(log, "list hooks")?;
    let rows = statement
        .query_map(
            named_params! { ":status": status, ":id": id, ":limit": limit },
            read_queued,
        )
        .on(log, "list hooks")?;
    rows.collect::<rusqlite::Result<_>>().on(log, "list hooks")
}

fn read_queued(row: &Row<'_>) -> rusqlite::Result<Queued> {
    let headers: String = row.get(4)?;
    let headers: Map<String, Value> = serde_json::from_str(&headers).unwrap_or_default();
    let payload: String = row.get(5)?;
    Ok(Queued {
        id: row.get(0)?,
        hook_name: row.get(1)?,
        status: row.get(2)?,
        url: row.get(3)?,
        header_names: headers.into_iter().map(|(name, _)| name).collect(),
        payload: serde_json::from_str(&payload).unwrap_or(Value::String(payload)),
        attempts: row.get(6)?,
        next_attempt_at: row.get(7)?,
        delivered_at: row.get(8)?,
        failed_at: row.get(9)?,
        last_error: row.get(10)?,
        created_at: row.get(11)?,
    })
}

const RETRY: &str = "
    update hook_outbox
       set status = 'queued', attempts = 0, next_attempt_at = :now, created_at = :now,
           failed_at = null, updated_at = :now
     where id = :id and status in ('queued', 'failed')";

const EXPIRE: &str = "
    update hook_outbox
       set status = 'failed', failed_at = :now, updated_at = :now,
           last_error = coalesce(last_error, 'not delivered in time')
     where status = 'queued' and (attempts >= :max_attempts or created_at <= :oldest)";

const RECLAIM_FAILED: &str = "
    update hook_outbox
       set status = 'failed', failed_at = :now, updated_at = :now,
           last_error = coalesce(last_error, 'not delivered in time'),
           lock_token = null, locked_by = null, lock_expires_at = null, processing_started_at = null
     where status = 'processing' and coalesce(lock_expires_at, '') <= :now
       and (attempts >= :max_attempts or created_at <= :oldest)";

const RECLAIM: &str = "
    update hook_outbox
       set status = 'queued', next_attempt_at = :now, updated_at = :now,
           lock_token = null, locked_by = null, lock_expires_at = null, processing_started_at = null
     where status = 'processing' and coalesce(lock_expires_at, '') <= :now";

// The first attempt is always due: the clock of the events may be ahead of this machine's.
const NEXT: &str = "
    select id, hook_name, url, headers, payload, attempts, created_at from hook_outbox
     where status = 'queued' and (attempts = 0 or next_attempt_at <= :due)
     order by next_attempt_at, id limit 1";

const TAKE: &str = "
    update hook_outbox
       set status = 'processing', lock_token = :token, locked_by = :worker,
           processing_started_at = :now, lock_expires_at = :lock_end, updated_at = :now
     where id = :id and status = 'queued'";

const SETTLE: &str = "
    update hook_outbox
       set status = :status, attempts = :attempts, last_error = :error,
           next_attempt_at = coalesce(:next, next_attempt_at),
           delivered_at = case :status when 'delivered' then :now end,
           failed_at = case :status when 'failed' then :now end,
           lock_token = null, locked_by = null, lock_expires_at = null,
           processing_started_at = null, updated_at = :now
     where id = :id and status = 'processing' and lock_token = :token";

impl Ledger {
    /// Fails what can wait no longer and frees what nobody works on any more.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn sweep_hooks(&mut self) -> Result<Swept> {
        let now = self.now();
        let oldest = now.plus_millis(-60_000 * i64::from(LIFETIME_MINUTES));
        let (now, oldest) = (now.to_string(), oldest.to_string());
        self.change_hooks(|log| {
            let change = |sql: &str| {
                log.execute(
                    sql,
                    named_params! { ":now": now, ":oldest": oldest, ":max_attempts": MAX_ATTEMPTS },
                )
                .on(log, "put the hook queue in order")
            };
            Ok(Swept {
                expired: change(EXPIRE)?,
                reclaimed_failed: change(RECLAIM_FAILED)?,
                reclaimed: log
                    .execute(RECLAIM, named_params! { ":now": now })
                    .on(log, "put the hook queue in order")?,
            })
        })
    }

    /// Gives a delivery that waits or has failed another day, from now. `false`: it does neither.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn retry_hook(&mut self, id: i64) -> Result<bool> {
        let now = self.now().to_string();
        let changed = self.change_hooks(|log| {
            log.execute(RETRY, named_params! { ":id": id, ":now": now })
                .on(log, "queue a hook again")
        })?;
        Ok(changed > 0)
    }

    /// Takes the delivery that was due first, if one was due at `due`, for five minutes.
    ///
    /// # Errors
    /// Whatever the store reports.
    pub fn take_hook(&mut self, worker: &str, due: Timestamp) -> Result<Option<Delivery>> {
        let now = self.now();
        let token = self.new_task_id().as_str().to_owned();
        self.change_hooks(|log| {
            let mut statement = log.prepare_cached(NEXT).on(log, "take a hook")?;
            let next = statement
                .query_row(named_params! { ":due": due.to_string() }, |row| {
                    read_delivery(row, &token)
                })
                .optional()
                .on(log, "take a hook")?;
            let Some(delivery) = next else {
                return Ok(None);
            };
            log.execute(
                TAKE,
                named_params! {
                    ":id": delivery.id,
                    ":token": token,
                    ":worker": worker,
                    ":now": now.to_string(),
                    ":lock_end": now.plus_minutes(LOCK_MINUTES).to_string(),
                },
            )
            .on(log, "take a hook")?;
            Ok(Some(delivery))
        })
    }

    /// Records how an attempt ended. `jitter` is any random number.
    ///
    /// # Errors
    /// Whatever the store reports; the delivery is then attempted again later.
    pub fn settle_hook(
        &mut self,
        delivery: &Delivery,
        attempt: &Attempt,
        jitter: u64,
    ) -> Result<Settled> {
        let now = self.now();
        let failed_attempts = delivery.attempts.saturating_add(1);
        let next = match attempt {
            Attempt::Failed(_) => next_attempt(failed_attempts, delivery.created_at, now, jitter),
            Attempt::Delivered | Attempt::Refused(_) => None,
        };
        let (settled, status) = match (attempt, next) {
            (Attempt::Delivered, _) => (Settled::Delivered, "delivered"),
            (_, Some(_)) => (Settled::Waiting, "queued"),
            (_, None) => (Settled::Failed, "failed"),
        };
        let (attempts, error) = match attempt {
            Attempt::Delivered => (delivery.attempts, None),
            Attempt::Failed(error) | Attempt::Refused(error) => {
                (failed_attempts, Some(shortened(error)))
            }
        };
        let changed = self.change_hooks(|log| {
            log.execute(
                SETTLE,
                named_params! {
                    ":id": delivery.id,
                    ":token": delivery.token,
                    ":status": status,
                    ":attempts": attempts,
                    ":error": error,
                    ":next": next.map(|next| next.to_string()),
                    ":now": now.to_string(),
                },
            )
            .on(log, "record a delivery")
        })?;
        Ok(if changed == 0 { Settled::Lost } else { settled })
    }

    /// Changes the queue and nothing else.
    fn change_hooks<T>(&self, change: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        self.check_writable()?;
        let queue = self.queue();
        let log = self.files.write_log()?;
        let done = change(&log)?;
        log.commit_log(None)?;
        drop(queue);
        Ok(done)
    }
}

fn read_delivery(row: &Row<'_>, token: &str) -> rusqlite::Result<Delivery> {
    let headers: String = row.get(3)?;
    let headers: Map<String, Value> = serde_json::from_str(&headers).unwrap_or_default();
    let headers = headers.into_iter().filter_map(|(name, value)| {
        let value = value.as_str()?.to_owned();
        Some((name, value))
    });
    let created_at: String = row.get(6)?;
    Ok(Delivery {
        id: row.get(0)?,
        hook_name: row.get(1)?,
        url: row.get(2)?,
        headers: headers.collect(),
        payload: row.get(4)?,
        attempts: row.get(5)?,
        created_at: Timestamp::parse(&created_at).unwrap_or_default(),
        token: token.to_owned(),
    })
}

/// When to try again after this many failures, if at all. The pause varies by a fifth, so that what
/// failed together does not come back together.
fn next_attempt(
    failures: u32,
    created_at: Timestamp,
    now: Timestamp,
    jitter: u64,
) -> Option<Timestamp> {
    if failures >= MAX_ATTEMPTS {
        return None;
    }
    let last = PAUSES_SECONDS.len() - 1;
    let index = usize::try_from(failures.saturating_sub(1)).map_or(last, |at| at.min(last));
    let pause_ms = PAUSES_SECONDS.get(index)? * 1_000;
    let percent = 80 + i64::try_from(jitter % 41).unwrap_or(20);
    let next = now.plus_millis(pause_ms * percent / 100);
    (next < created_at.plus_minutes(LIFETIME_MINUTES)).then_some(next)
}

fn shortened(error: &str) -> String {
    match error.char_indices().nth(ERROR_CHARS) {
        Some((at, _)) => format!("{}...", error.split_at(at).0),
        None => error.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: Timestamp = Timestamp::from_millis(1_772_355_600_000);

    #[test]
    fn attempts_are_spread_over_a_day() {
        for jitter in 0..41 {
            let (mut now, mut pauses) = (CREATED, vec![]);
            for failures in 1.. {
                let Some(next) = next_attempt(failures, CREATED, now, jitter) else {
                    break;
                };
                pauses.push((next.millis() - now.millis()) / 1_000);
                now = next;
            }
            assert!(pauses.len() <= 7 && pauses.len() >= 6, "{pauses:?}");
            assert!(now < CREATED.plus_minutes(LIFETIME_MINUTES));
            assert!(now > CREATED.plus_minutes(10 * 60), "{pauses:?}");
            if jitter == 20 {
                assert_eq!(pauses[..5], PAUSES_SECONDS);
            }
        }
    }

    #[test]
    fn errors_are_shortened() {
        assert_eq!(shortened("short"), "short");
        let long = "ä".repeat(300);
        assert_eq!(shortened(&long), format!("{}...", "ä".repeat(280)));
    }
}
