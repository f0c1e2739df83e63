//! The cloud's tables and statements, and what comes back.
//!
//! Works unchanged on sqld, Turso Cloud and tursodb: positional parameters, one statement per
//! request, no transaction that lives longer than one statement. A page of a pull is one statement, so
//! the rows, the cursor row and the ledger's identity are of one moment.

use hzl_core::ids::{DeviceId, EventId};
use hzl_core::planted::{Bug, is_planted};
use hzl_core::time::Timestamp;
use hzl_store::log::StoredEvent;
use hzl_store::replica::{CloudCursor, CloudDevice, CloudRow, Outgoing};
use serde::Serialize;
use serde_json::Value as Json;

use crate::bounded;
use crate::hrana::{Rows, Statement, Value};

/// The format of the cloud's tables that this program reads and writes.
pub const FORMAT: u32 = 1;

/// What a push depends on: the last row known, and who sends.
#[derive(Clone, PartialEq, Debug)]
pub struct PushCondition {
    /// The last row pulled; `None` before the first.
    pub anchor: Option<CloudCursor>,
    /// This device.
    pub device: DeviceId,
    /// The ledger joined.
    pub instance_id: String,
    /// The rewind points known: an event names their number, and means these.
    pub rewind_points: Vec<i64>,
}

/// Creates the tables where they are missing, and names the ledger. Each is a request of its own.
/// `rewind_points`: what the other devices must cut at, if this ledger has moved here.
pub fn create_schema(instance_id: &str, rewind_points: &[i64]) -> Vec<Statement> {
    let plain = |sql: &'static str| Statement::without_rows(sql, vec![]);
    let meta = |key: &str, value: &str| {
        let args = vec![Value::from(key), Value::from(value)];
        Statement::without_rows(
            "insert into hzl_meta (key, value) values (?1, ?2) on conflict (key) do nothing",
            args,
        )
    };
    vec![
        plain(
            "create table if not exists hzl_events (
               seq integer primary key autoincrement,
               event_id text not null unique,
               received_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
               device_id text,
               epoch integer,
               basis_seq integer,
               task_id text not null,
               type text not null,
               data text not null check (json_valid(data)),
               schema_version integer not null default 1,
               author text,
               agent_id text,
               session_id text,
               correlation_id text,
               causation_id text,
               timestamp text not null)",
        ),
        plain("create index if not exists hzl_events_task on hzl_events (task_id, seq)"),
        plain("create index if not exists hzl_events_device on hzl_events (device_id, seq)"),
        plain(
            "create table if not exists hzl_devices (
               device_id text primary key,
               name text,
               hzl_version text,
               last_seen_at text,
               acked_seq integer,
               state_hash text)",
        ),
        plain("create table if not exists hzl_meta (key text primary key, value text)"),
        meta("format", &FORMAT.to_string()),
        meta("epoch", &points_text(rewind_points)),
        Statement::without_rows(
            "insert into hzl_meta (key, value)
             values ('created_at', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
             on conflict (key) do nothing",
            vec![],
        ),
        meta("instance_id", instance_id),
    ]
}

/// A text column as it can be sent: what is no text, or so long that no server would send the page, is
/// left out. Such a row is no event of ours, and it must not keep the others from arriving.
macro_rules! text {
    ($column:literal, $limit:literal) => {
        concat!(
            "case when typeof(",
            $column,
            ") = 'blob' or length(",
            $column,
            ") > ",
            $limit,
            " then null else ",
            $column,
            " end"
        )
    };
    ($column:literal) => {
        text!($column, "65536")
    };
}

/// Inserts a chunk if the anchor stands, nobody has raised the epoch, and nothing of this device is there that it does
/// not know. Events that are there already are left alone.
macro_rules! push {
    ($fence:literal) => {
        concat!(
    "
    insert into hzl_events
      (event_id, received_at, device_id, epoch, basis_seq, task_id, type, data, schema_version,
       author, agent_id, session_id, correlation_id, causation_id, timestamp)
    select json_extract(value, '$[0]'),
           coalesce(json_extract(value, '$[1]'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
           json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'),
           json_extract(value, '$[5]'), json_extract(value, '$[6]'), json_extract(value, '$[7]'),
           json_extract(value, '$[8]'), json_extract(value, '$[9]'), json_extract(value, '$[10]'),
           json_extract(value, '$[11]'), json_extract(value, '$[12]'),
           json_extract(value, '$[13]'), json_extract(value, '$[14]')
      from json_each(?1)
     where (select value from hzl_meta where key = 'instance_id') = ?2
       and (select value from hzl_meta where key = 'epoch') = ?6
       and (?3 = 0 or exists (select 1 from hzl_events
                               where seq = ?3 and coalesce(",
    text!("event_id"),
    ", '') = ?4
                                 and coalesce(",
    text!("received_at"),
    ", '') = ?5))
       and not exists (select 1 from hzl_events where ",
    $fence,
    " and seq > ?3)",
    "
    on conflict (event_id) do nothing"
        )
    };
}

const PUSH: &str = push!("device_id = ?7");

/// Inserts a claim if the anchor stands and nobody has decided anything about the task since. Rows of
/// this device may be there: other processes of it claim other tasks at the same time.
const PUSH_CLAIM: &str =
    push!("task_id = ?7 and type in ('status_changed', 'task_archived', 'task_deleted')");

/// The rows of a chunk as a push sends them: a JSON array of arrays.
pub fn rows_of(chunk: &[Outgoing]) -> String {
    let rows: Vec<_> = chunk.iter().map(encode).collect();
    serde_json::to_string(&rows).expect("texts and numbers are JSON")
}

/// The statement that pushes a chunk, given as [`rows_of`] makes it.
pub fn push(rows: String, condition: &PushCondition) -> Statement {
    let none = CloudCursor {
        seq: 0,
        event_id: String::new(),
        received_at: String::new(),
    };
    let anchor = condition.anchor.as_ref().unwrap_or(&none);
    let args = vec![
        Value::from(rows),
        Value::from(condition.instance_id.as_str()),
        Value::from(anchor.seq),
        Value::from(anchor.event_id.as_str()),
        Value::from(anchor.received_at.as_str()),
        Value::from(points_text(&condition.rewind_points)),
        Value::from(condition.device.as_str()),
    ];
    let mut statement = Statement::without_rows(PUSH, args);
    if is_planted(Bug::PushUnconditional) {
        let conditions = statement
            .sql
            .find("and (select value from hzl_meta where key = 'epoch')")
            .zip(statement.sql.find("on conflict"));
        let (from, to) = conditions.expect("a push has conditions");
        statement
            .sql
            .to_mut()
            .replace_range(from..to, "and (?3 + ?4 + ?5 + ?6 + ?7) is not null ");
    }
    if is_planted(Bug::OwnRowsNotCompared) {
        statement.sql = statement
            .sql
            .replace("device_id = ?7 and", "false and ?7 and")
            .into();
    }
    statement
}

/// The statement that claims a task, if it is still as this device knows it.
pub fn push_claim(claim: &Outgoing, condition: &PushCondition) -> Statement {
    let mut statement = push(rows_of(std::slice::from_ref(claim)), condition);
    statement.sql = PUSH_CLAIM.into();
    if is_planted(Bug::ClaimPushUnconditional) {
        statement.sql = statement
            .sql
            .replace("task_id = ?7 and", "false and ?7 and")
            .into();
    }
    statement.args.pop();
    let task_id = claim.event.task_id.as_str();
    statement.args.push(Value::from(task_id));
    statement
}

/// The columns of a row, in the order of [`PUSH`].
fn encode(outgoing: &Outgoing) -> impl Serialize {
    let event = &outgoing.event;
    (
        &event.event_id,
        &outgoing.received_at,
        &outgoing.device,
        event.epoch,
        event.basis_seq,
        &event.task_id,
        &event.kind,
        &event.data,
        event.schema_version,
        &event.author,
        &event.agent_id,
        &event.session_id,
        &event.correlation_id,
        &event.causation_id,
        &event.timestamp,
    )
}

/// The ledger's identity, the cursor row, a page above it and the server's time, as one row. Columns
/// without a name would come back with all of this text as their name.
const PULL: &str = concat!(
    "
    select
      (select json_group_array(json_array(key, value)) from hzl_meta) as meta,
      (select json_array(seq, ",
    text!("event_id"),
    ", ",
    text!("received_at"),
    ")
         from hzl_events where seq = ?1) as cursor,
      (select json_group_array(json_array(
         seq, ",
    text!("received_at"),
    ", ",
    text!("device_id"),
    ", epoch, basis_seq,
         ",
    text!("event_id"),
    ", ",
    text!("task_id"),
    ", ",
    text!("type"),
    ",
         ",
    text!("data", "1048576"),
    ", schema_version, ",
    text!("author"),
    ",
         ",
    text!("agent_id"),
    ", ",
    text!("session_id"),
    ", ",
    text!("correlation_id"),
    ",
         ",
    text!("causation_id"),
    ", ",
    text!("timestamp"),
    "))
         from (select * from hzl_events where seq > ?1 order by seq limit ?2)) as page,
      strftime('%Y-%m-%dT%H:%M:%fZ', 'now') as now"
);

/// The statement that pulls a page.
pub fn pull(cursor_seq: i64, page_rows: u32) -> Statement {
    let args = vec![Value::from(cursor_seq), Value::from(i64::from(page_rows))];
    let mut statement = Statement::new(PULL, args);
    if is_planted(Bug::CursorByTime) {
        let later = "where ?1 = 0 or received_at >
                       (select received_at from hzl_events where seq = ?1)";
        statement.sql = statement
            .sql
            .replace("where seq > ?1 order", &format!("{later} order"))
            .into();
    }
    statement
}

/// The statement that tells the other devices about this one.
pub fn announce(device: &CloudDevice) -> Statement {
    let text = |text: &Option<String>| Value::from(text.as_deref());
    let args = vec![
        Value::from(device.device_id.as_str()),
        text(&device.name),
        text(&device.hzl_version),
        device.acked_seq.map_or(Value::Null, Value::from),
        text(&device.state_hash),
    ];
    Statement::without_rows(
        "insert into hzl_devices
           (device_id, name, hzl_version, last_seen_at, acked_seq, state_hash)
         values (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), ?4, ?5)
         on conflict (device_id) do update set
           name = excluded.name, hzl_version = excluded.hzl_version,
           last_seen_at = excluded.last_seen_at, acked_seq = excluded.acked_seq,
           state_hash = excluded.state_hash",
        args,
    )
}

/// The statement that lists the devices.
pub fn list_devices() -> Statement {
    Statement::new(
        "select device_id, name, hzl_version, last_seen_at, acked_seq, state_hash
           from hzl_devices order by last_seen_at desc limit 500",
        vec![],
    )
}

/// The statement that counts the events of a ledger, the automatic inboxes left out.
pub fn count_events() -> Statement {
    Statement::new(
        "select count(*) from hzl_events
          where not (type = 'project_created' and json_extract(data, '$.name') = 'inbox')",
        vec![],
    )
}

/// The statement that lists rows for comparison after a rewind.
pub fn list_rows(above: i64, limit: u32) -> Statement {
    Statement::new(
        "select seq, event_id, received_at from hzl_events where seq > ?1 order by seq limit ?2",
        vec![Value::from(above), Value::from(i64::from(limit))],
    )
}

/// The statement that raises the epoch, once, from a known list of rewind points. It returns a row if it did.
pub fn raise_epoch(from: &[i64], to: &[i64]) -> Statement {
    Statement::new(
        "update hzl_meta set value = ?2 where key = 'epoch' and value = ?1 returning key",
        vec![Value::from(points_text(from)), Value::from(points_text(to))],
    )
}

/// The statement that makes all devices say anew how far they are: what they said was about rows that the
/// cloud has lost.
pub fn forget_progress() -> Statement {
    Statement::without_rows(
        "update hzl_devices set acked_seq = null, state_hash = null",
        vec![],
    )
}

fn points_text(points: &[i64]) -> String {
    serde_json::to_string(points).expect("numbers are JSON")
}

/// What a pull brought.
#[derive(Clone, PartialEq, Debug)]
pub struct PullReply {
    /// The ledger there; empty if whoever made the tables was cut off before naming it.
    pub instance_id: String,
    /// Its format.
    pub format: String,
    /// Its rewind points.
    pub rewind_points: Vec<i64>,
    /// The row at the cursor; `None` if it is gone, or there was no cursor.
    pub cursor: Option<CloudCursor>,
    /// The rows above it, in sequence.
    pub rows: Vec<CloudRow>,
    /// The server's clock.
    pub server_time: Option<Timestamp>,
}

/// Reads the reply to [`pull`].
///
/// # Errors
/// What is wrong with it.
pub fn read_pull(reply: &Rows) -> Result<PullReply, String> {
    let row = reply.rows.first().ok_or("a pull without a row")?;
    let text = |column: usize| match row.get(column) {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let meta: Vec<(String, Option<String>)> =
        bounded::from_slice(text(0).unwrap_or("[]").as_bytes())
            .map_err(|_| "meta is not a list of pairs")?;
    let meta = |key: &str| {
        meta.iter()
            .find(|(name, _)| name == key)
            .and_then(|(_, value)| value.clone())
    };
    let cursor = match text(1) {
        Some(text) => {
            let (seq, event_id, received_at): (i64, Option<String>, Option<String>) =
                serde_json::from_str(text).map_err(|_| "the cursor row is not a triple")?;
            // As in `read_row`: what could not be sent is empty.
            Some(CloudCursor {
                seq,
                event_id: event_id.unwrap_or_default(),
                received_at: received_at.unwrap_or_default(),
            })
        }
        None => None,
    };
    let page: Vec<Vec<Json>> = bounded::from_slice(text(2).unwrap_or("[]").as_bytes())
        .map_err(|_| "the page is not a list")?;
    let mut rows = page
        .into_iter()
        .map(read_row)
        .collect::<Result<Vec<_>, _>>()?;
    rows.sort_by_key(|row| row.seq);
    Ok(PullReply {
        instance_id: meta("instance_id").unwrap_or_default(),
        format: meta("format").unwrap_or_default(),
        rewind_points: meta("epoch")
            .and_then(|text| bounded::from_slice(text.as_bytes()).ok())
            .unwrap_or_default(),
        cursor,
        rows,
        server_time: text(3).and_then(Timestamp::parse),
    })
}

fn read_row(mut row: Vec<Json>) -> Result<CloudRow, String> {
    let numbers = [0, 3, 4, 9].map(|column| row.get(column).and_then(Json::as_i64));
    let [seq, epoch, basis_seq, schema_version] = numbers;
    let small = |number: Option<i64>| Some(u32::try_from(number?.max(0)).unwrap_or(u32::MAX));
    let mut text = |column: usize| match row.get_mut(column).map(Json::take) {
        Some(Json::String(text)) => Some(text),
        _ => None,
    };
    Ok(CloudRow {
        seq: seq
            .filter(|seq| *seq > 0)
            .ok_or("a row without a sequence")?,
        received_at: text(1).unwrap_or_default(),
        device: text(2).map(DeviceId::new),
        event: StoredEvent {
            rowid: 0,
            epoch: small(epoch),
            basis_seq,
            event_id: EventId::new(text(5).unwrap_or_default()),
            task_id: text(6).unwrap_or_default(),
            kind: text(7).unwrap_or_default(),
            data: text(8).unwrap_or_default(),
            schema_version: small(schema_version).unwrap_or(1),
            author: text(10),
            agent_id: text(11),
            session_id: text(12),
            correlation_id: text(13),
            causation_id: text(14),
            timestamp: text(15).unwrap_or_default(),
        },
    })
}

/// Reads the reply to [`list_devices`].
pub fn read_devices(reply: &Rows) -> Vec<CloudDevice> {
    let text = |value: Option<&Value>| match value {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let device = |row: &Vec<Value>| {
        Some(CloudDevice {
            device_id: text(row.first())?,
            name: text(row.get(1)),
            hzl_version: text(row.get(2)),
            last_seen_at: text(row.get(3)),
            acked_seq: match row.get(4) {
                Some(Value::Integer(seq)) => Some(*seq),
                _ => None,
            },
            state_hash: text(row.get(5)),
        })
    };
    reply.rows.iter().filter_map(device).collect()
}

/// Reads the reply to [`count_events`].
pub fn read_count(reply: &Rows) -> u64 {
    match reply.rows.first().and_then(|row| row.first()) {
        Some(Value::Integer(count)) => u64::try_from(*count).unwrap_or(0),
        _ => 0,
    }
}

/// Reads the reply to [`list_rows`].
pub fn read_rows(reply: &Rows) -> Vec<CloudCursor> {
    let cursor = |row: &Vec<Value>| match row.as_slice() {
        [
            Value::Integer(seq),
            Value::Text(event_id),
            Value::Text(received_at),
        ] => {
            let (event_id, received_at) = (event_id.clone(), received_at.clone());
            Some(CloudCursor {
                seq: *seq,
                event_id,
                received_at,
            })
        }
        _ => None,
    };
    reply.rows.iter().filter_map(cursor).collect()
}
