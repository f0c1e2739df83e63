//! Whether the stored projections are, row by row, what the log says. Looks only; repairs nothing.
//!
//! The state hash covers what devices share; this covers every column of every table, the full-text index
//! included. Left out are row ids, which a rebuild deals out anew.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{Connection, Rows};

use crate::catch_up::{self, ReadTransaction};
use crate::connect::keep_pages;
use crate::digest::StateSum;
use crate::error::{OnConnection as _, Result};
use crate::log;
use crate::open::{Access, Files, OpenOptions};
use crate::paths::StorePaths;
use crate::projector::state_sum;
use crate::state::SyncState;

/// What came of a comparison.
#[derive(Clone, PartialEq, Debug)]
pub enum Compared {
    /// Every row is what the log says.
    Same {
        /// The state hash.
        sum: StateSum,
        /// How many rows there are.
        rows: u64,
    },
    /// Some are not.
    Different {
        /// The state hash that is stored.
        stored: StateSum,
        /// The state hash of what the log says.
        folded: StateSum,
        /// The tables that differ; empty if only the hash does.
        tables: Vec<TableDifference>,
    },
    /// Others wrote all the time, so that the two could not be compared.
    Unknown,
}

/// A table that is not what the log says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableDifference {
    /// Its name.
    pub table: &'static str,
    /// How many rows are missing, too many or different.
    pub rows: u64,
    /// What they are about: ids of tasks, names of projects; the first [`LISTED`].
    pub subjects: Vec<String>,
}

/// How many subjects of a table are listed.
pub const LISTED: usize = 20;
/// How often a comparison is tried while others write.
const ATTEMPTS: usize = 3;

/// A table: its name, what its rows are about, and what identifies a row.
struct Table {
    name: &'static str,
    source: &'static str,
    subject: &'static str,
    key: &'static str,
    /// `None`: all of the table but `id`.
    columns: Option<&'static str>,
}

const fn table(name: &'static str, subject: &'static str, key: &'static str) -> Table {
    Table {
        name,
        source: name,
        subject,
        key,
        columns: None,
    }
}

const TABLES: [Table; 10] = [
    Table {
        name: "p_meta",
        // The others say where the projections stand, not what they hold. A projection of nothing has none of these.
        source: "(select * from main.p_meta
                   where key = 'plain_projects' and value = 0 or key = 'odd_ids' and value <> 0)",
        subject: "key",
        key: "key",
        columns: None,
    },
    table("p_tasks", "task_id", "task_id"),
    Table {
        name: "p_counts",
        // Where there were tasks and are none, a 0 stays.
        source: "(select * from main.p_counts where tasks <> 0)",
        subject: "project",
        key: "project || char(10) || project_identity || char(10) || status",
        columns: None,
    },
    table("p_tags", "task_id", "task_id || char(10) || tag"),
    table("p_edges", "task_id", "task_id || ' ' || depends_on_id"),
    table("p_comments", "task_id", "task_id || ' ' || event_id"),
    table("p_checkpoints", "task_id", "task_id || ' ' || event_id"),
    table("p_projects", "name", "identity"),
    table(
        "p_conflicts",
        "coalesce(task_id, event_id)",
        "event_id || ' ' || kind || ' ' || field",
    ),
    Table {
        name: "p_search",
        // The index keeps no text; its vocabulary says where which word stands.
        source: "temp.search_words v left join main.p_tasks t on t.id = v.doc",
        subject: "coalesce(t.task_id, '')",
        key: "coalesce(t.task_id, '') || ' ' || v.col || ' ' || v.offset || ' ' || v.term",
        columns: Some("v.term"),
    },
];

const SEARCH_WORDS: &str = "
    create virtual table if not exists temp.search_words
     using fts5vocab ('main', 'p_search', 'instance')";

/// Folds the whole log in memory and compares every row with what is stored, which is left as it is.
///
/// # Errors
/// As [`Files::open`].
pub fn compare(paths: &StorePaths) -> Result<Compared> {
    let open = || {
        // Only a new store would need a name, and nothing is created.
        let mut no_name = String::new;
        Files::open(paths, Access::ReadOnly, OpenOptions::new(&mut no_name, 0))
    };
    for _ in 0..ATTEMPTS {
        let stored = open()?;
        let mut folded = open()?;
        for conn in [&stored.cache, &folded.events] {
            keep_pages(conn).on(conn, "configure the database")?;
        }
        folded.use_private_cache()?;
        look_into_search(&stored.cache)?;
        // One snapshot of the stored rows for all that follows.
        let snapshot = ReadTransaction::begin(&stored.cache)?;
        let sum = state_sum(&stored.cache)?;
        if !catch_up::is_current(&stored.events, &stored.cache)? {
            continue;
        }
        let before = position(&stored.events)?;
        catch_up::rebuild(&folded.events, &folded.cache)?;
        if position(&folded.events)? != before {
            continue;
        }
        look_into_search(&folded.cache)?;
        let (tables, rows) = compare_tables(&stored.cache, &folded.cache)?;
        drop(snapshot);
        let expected = state_sum(&folded.cache)?;
        return Ok(if tables.is_empty() && sum == expected {
            Compared::Same { sum, rows }
        } else {
            Compared::Different {
                stored: sum,
                folded: expected,
                tables,
            }
        });
    }
    Ok(Compared::Unknown)
}

/// Compares the projections of two connections, of whatever logs, row by row.
///
/// # Errors
/// Whatever SQLite reports.
pub fn differences(stored: &Connection, folded: &Connection) -> Result<Vec<TableDifference>> {
    look_into_search(stored)?;
    look_into_search(folded)?;
    Ok(compare_tables(stored, folded)?.0)
}

fn look_into_search(cache: &Connection) -> Result<()> {
    let context = "look into the full-text index";
    cache.execute_batch(SEARCH_WORDS).on(cache, context)
}

/// What projections are made of: the same before and after means that nobody wrote in between.
fn position(events: &Connection) -> Result<(Option<log::LogEnd>, SyncState)> {
    Ok((log::find_end(events)?, SyncState::load(events)?))
}

fn compare_tables(stored: &Connection, folded: &Connection) -> Result<(Vec<TableDifference>, u64)> {
    let (mut differences, mut rows) = (vec![], 0);
    for table in &TABLES {
        let mut found = TableDifference {
            table: table.name,
            rows: 0,
            subjects: vec![],
        };
        rows += compare_table(stored, folded, table, &mut found)?;
        if found.rows > 0 {
            differences.push(found);
        }
    }
    Ok((differences, rows))
}

/// Walks through both tables by key; returns how many rows the log says there are.
fn compare_table(
    stored: &Connection,
    folded: &Connection,
    table: &Table,
    found: &mut TableDifference,
) -> Result<u64> {
    let context = "compare the projections";
    let sql = query(folded, table)?;
    let mut of_stored = stored.prepare_cached(&sql).on(stored, context)?;
    let mut of_folded = folded.prepare_cached(&sql).on(folded, context)?;
    let mut theirs = Stream::of(stored, of_stored.query([]).on(stored, context)?)?;
    let mut expected = Stream::of(folded, of_folded.query([]).on(folded, context)?)?;
    let (mut subjects, mut count) = (BTreeSet::new(), 0);
    loop {
        let order = match (&theirs.row, &expected.row) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.key.cmp(&other.key),
        };
        let differs = order != Ordering::Equal || theirs.row != expected.row;
        if differs {
            found.rows += 1;
            let row = match order {
                Ordering::Less => &theirs.row,
                Ordering::Equal | Ordering::Greater => &expected.row,
            };
            if let Some(row) = row.as_ref().filter(|_| subjects.len() < LISTED) {
                subjects.insert(row.subject.clone());
            }
        }
        if order != Ordering::Greater {
            theirs.advance(stored)?;
        }
        if order != Ordering::Less {
            count += 1;
            expected.advance(folded)?;
        }
    }
    found.subjects = subjects.into_iter().collect();
    Ok(count)
}

const COLUMNS: &str = "
    select name from pragma_table_info(:table) where name <> 'id' order by cid";

fn query(conn: &Connection, table: &Table) -> Result<String> {
    let context = "compare the projections";
    let columns = match table.columns {
        Some(columns) => columns.to_owned(),
        None => {
            let mut statement = conn.prepare_cached(COLUMNS).on(conn, context)?;
            let names = statement
                .query_map(&[(":table", table.name)], |row| row.get::<_, String>(0))
                .on(conn, context)?
                .collect::<rusqlite::Result<Vec<_>>>()
                .on(conn, context)?;
            names.join(", ")
        }
    };
    let Table {
        source,
        subject,
        key,
        ..
    } = table;
    Ok(format!(
        "select {key}, {subject}, {columns} from {source} order by 1"
    ))
}

/// A row of a table.
#[derive(PartialEq)]
struct Row {
    key: Vec<u8>,
    subject: String,
    values: Vec<Value>,
}

/// The rows of a table, one at a time.
struct Stream<'stmt> {
    rows: Rows<'stmt>,
    row: Option<Row>,
}

impl<'stmt> Stream<'stmt> {
    fn of(conn: &Connection, rows: Rows<'stmt>) -> Result<Self> {
        let mut stream = Self { rows, row: None };
        stream.advance(conn)?;
        Ok(stream)
    }

    fn advance(&mut self, conn: &Connection) -> Result<()> {
        let context = "compare the projections";
        let read = |row: &rusqlite::Row<'_>| {
            // Whatever somebody has put there instead of a text.
            let bytes = |column| -> rusqlite::Result<Vec<u8>> {
                Ok(match row.get(column)? {
                    Value::Text(text) => text.into_bytes(),
                    Value::Blob(bytes) => bytes,
                    Value::Null => vec![],
                    Value::Integer(number) => number.to_string().into_bytes(),
                    Value::Real(number) => number.to_string().into_bytes(),
                })
            };
            let count = row.as_ref().column_count();
            Ok(Row {
                key: bytes(0)?,
                subject: String::from_utf8_lossy(&bytes(1)?).into_owned(),
                values: (2..count)
                    .map(|column| row.get(column))
                    .collect::<rusqlite::Result<_>>()?,
            })
        };
        self.row = match self.rows.next().on(conn, context)? {
            Some(row) => Some(read(row).on(conn, context)?),
            None => None,
        };
        Ok(())
    }
}
