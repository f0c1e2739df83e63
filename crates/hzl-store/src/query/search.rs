//! Full-text search: the tasks whose title, description or tags have all the words.
//!
//! Any text is a good query. A word is found at the beginning of a word, in any case, Latin letters
//! with or without accents. What has punctuation inside is found as its parts in this order, or written as
//! one: `sign-in` finds "sign-in", "sign in" and "signin". What has neither letter nor digit is no
//! word.

use std::collections::BTreeSet;

use hzl_core::ids::{ProjectName, TaskId};
use hzl_core::task::Status;
use rusqlite::{Connection, Row, ToSql};

use super::count_column;
use crate::error::{OnConnection as _, Result};

/// Which tasks are searched; all conditions hold together.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SearchFilter {
    /// Of this project.
    pub project: Option<String>,
    /// In this status; without one, archived tasks are found as well.
    pub status: Option<Status>,
}

/// What was found.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Found {
    /// The best matches first.
    pub tasks: Vec<FoundTask>,
    /// How many there are in all.
    pub total: u64,
}

/// A task that was found.
#[derive(Clone, PartialEq, Debug)]
pub struct FoundTask {
    /// The task.
    pub task_id: TaskId,
    /// Its title.
    pub title: String,
    /// What its project is called.
    pub project: ProjectName,
    /// Its status.
    pub status: Status,
}

/// More words than anybody types; those after them are not looked for.
const MAX_WORDS: usize = 64;

/// Only tasks that rank as well as the last one wanted are looked up: there may be very many others. Those that rank
/// alike are ordered by id.
macro_rules! best_of {
    ($found:literal) => {
        concat!(
            "
    with found (row, score) as materialized (",
            $found,
            "),
         last (score) as (select score from found order by score limit 1 offset :limit - 1)
    select t.task_id, t.title, t.project, t.status, (select count(*) from found)
      from found join p_tasks t on t.id = found.row
     where found.score <= coalesce((select score from last), 0)
     order by found.score, t.task_id limit :limit"
        )
    };
}

const SEARCH: &str = best_of!("select rowid, rank from p_search where p_search match :words");

const SEARCH_FILTERED: &str = best_of!(
    "select t.id, s.rank from p_search s join p_tasks t on t.id = s.rowid
           where s.p_search match :words
             and (:project is null or t.project = :project)
             and (:status is null or t.status = :status)"
);

/// Searches tasks; a text without words finds nothing.
///
/// # Errors
/// Whatever SQLite reports.
pub fn search(cache: &Connection, text: &str, filter: &SearchFilter, limit: u32) -> Result<Found> {
    let words = match_expression(text);
    if words.is_empty() {
        return Ok(Found::default());
    }
    let status = filter.status.map(Status::name);
    let mut values: Vec<(&str, &dyn ToSql)> = vec![(":words", &words), (":limit", &limit)];
    let mut sql = SEARCH;
    if filter.project.is_some() || status.is_some() {
        sql = SEARCH_FILTERED;
        values.extend([
            (":project", &filter.project as &dyn ToSql),
            (":status", &status),
        ]);
    }
    let context = "search tasks";
    let mut statement = cache.prepare_cached(sql).on(cache, context)?;
    let mut rows = statement.query(&values[..]).on(cache, context)?;
    let mut found = Found::default();
    while let Some(row) = rows.next().on(cache, context)? {
        found.tasks.push(read_found(row).on(cache, context)?);
        found.total = count_column(row, 4).on(cache, context)?;
    }
    Ok(found)
}

fn read_found(row: &Row<'_>) -> rusqlite::Result<FoundTask> {
    let status: String = row.get(3)?;
    Ok(FoundTask {
        task_id: TaskId::new(row.get::<_, String>(0)?),
        title: row.get(1)?,
        project: ProjectName::new(row.get::<_, String>(2)?),
        status: Status::find(&status).unwrap_or_default(),
    })
}

/// Returns what FTS5 looks for: every word quoted, so that nothing in it is syntax.
fn match_expression(text: &str) -> String {
    let mut seen = BTreeSet::new();
    let words = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .filter(|word| seen.insert(*word))
        .take(MAX_WORDS);
    let terms: Vec<String> = words.map(term).collect();
    terms.join(" AND ")
}

fn term(word: &str) -> String {
    let quoted = |text: &str| format!("\"{}\"*", text.replace('"', "\"\"").replace('\0', " "));
    let plain: String = word.chars().filter(|c| !c.is_ascii_punctuation()).collect();
    let inner = word.trim_matches(|c: char| c.is_ascii_punctuation());
    if plain == inner {
        quoted(inner)
    } else {
        format!("({} OR {})", quoted(inner), quoted(&plain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_and_may_be_beginnings() {
        assert_eq!(
            match_expression("fix  login fix"),
            "\"fix\"* AND \"login\"*"
        );
        assert_eq!(match_expression("AND NOT"), "\"AND\"* AND \"NOT\"*");
        assert_eq!(match_expression("\"a\" b*"), "\"a\"* AND \"b\"*");
        assert_eq!(
            match_expression("sign-in c\"d"),
            "(\"sign-in\"* OR \"signin\"*) AND (\"c\"\"d\"* OR \"cd\"*)"
        );
    }

    #[test]
    fn what_is_no_word_is_left_out() {
        assert_eq!(match_expression("!!! ??? 🚀"), "");
        assert_eq!(match_expression(" \t"), "");
        assert_eq!(match_expression("(日本語) -"), "\"日本語\"*");
    }
}
