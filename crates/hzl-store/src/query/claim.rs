//! Choosing a task: the best eligible ones, by seeks.
//!
//! There is one seek for the tasks that are meant for nobody and one for those meant for the caller, each pinned to
//! its index: an `or` over agents, or an index chosen by the planner, costs four orders of magnitude at a million tasks.
//! A test asserts the plan. Without a name there is one for each agent that a claimable task is meant for: these are few.

use hzl_core::availability::{Candidate, Ineligible};
use hzl_core::command::ClaimFilter;
use hzl_core::ids::TaskId;
use hzl_core::task::Status;
use hzl_core::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};

use super::tasks;
use crate::error::{OnConnection as _, Result};

const ELIGIBLE: &str = "status = 'ready' and open_deps = 0 and child_count = 0";
const ORDER: &str = "priority desc, due_at_ms is null, due_at_ms, created_at, task_id";

/// Lists the tasks that `claim --next` would take, best first.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_eligible(
    cache: &Connection,
    filter: &ClaimFilter,
    limit: usize,
) -> Result<Vec<TaskId>> {
    let mut candidates = list_of_route(cache, filter, None, limit)?;
    match &filter.agent {
        Some(agent) => candidates.extend(list_of_route(cache, filter, Some(agent), limit)?),
        None => {
            let mut after = String::new();
            while let Some(route) = find_route_after(cache, filter, &after)? {
                candidates.extend(list_of_route(cache, filter, Some(&route), limit)?);
                after = route;
            }
        }
    }
    candidates.sort_by(Candidate::order);
    candidates.truncate(limit);
    let ids = candidates.into_iter().map(|candidate| candidate.task_id);
    Ok(ids.collect())
}

/// The index that has the claimable tasks of each route in their order.
fn routed_index(filter: &ClaimFilter) -> &'static str {
    match filter.project {
        Some(_) => "p_claim_project",
        None => "p_claim",
    }
}

/// The best of the claimable tasks that are meant for this agent, or for nobody.
fn list_of_route(
    cache: &Connection,
    filter: &ClaimFilter,
    route: Option<&str>,
    limit: usize,
) -> Result<Vec<Candidate>> {
    let (sql, values) = of_route_sql(filter, route, limit);
    let mut statement = cache.prepare_cached(&sql).on(cache, "choose a task")?;
    let rows = statement
        .query_map(params_from_iter(values), |row| {
            Ok(Candidate {
                task_id: TaskId::new(row.get::<_, String>(0)?),
                status: Status::Ready,
                open_deps: 0,
                child_count: 0,
                agent: route.map(str::to_owned),
                priority: row.get(1)?,
                due_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
                created_at: Timestamp::from_millis(row.get(3)?),
            })
        })
        .on(cache, "choose a task")?;
    rows.collect::<rusqlite::Result<_>>()
        .on(cache, "choose a task")
}

fn of_route_sql(filter: &ClaimFilter, route: Option<&str>, limit: usize) -> (String, Vec<Value>) {
    let index = match &filter.parent {
        Some(_) => "p_tasks_parent",
        None => routed_index(filter),
    };
    // `is` finds what has no route as well, so all seeks are one statement.
    let mut conditions = vec![ELIGIBLE.to_owned(), "route is ?".to_owned()];
    let mut values = vec![route.map_or(Value::Null, |route| Value::Text(route.to_owned()))];
    add_filter(filter, &mut conditions, &mut values);
    let sql = format!(
        "select task_id, priority, due_at_ms, created_at from p_tasks indexed by {index}
          where {} order by {ORDER} limit {limit}",
        conditions.join(" and ")
    );
    (sql, values)
}

/// The next name, in their order, that claimable tasks are routed to.
fn find_route_after(
    cache: &Connection,
    filter: &ClaimFilter,
    after: &str,
) -> Result<Option<String>> {
    let (sql, values) = next_route_sql(filter, after);
    let mut statement = cache.prepare_cached(&sql).on(cache, "choose a task")?;
    statement
        .query_row(params_from_iter(values), |row| row.get(0))
        .on(cache, "choose a task")
}

fn next_route_sql(filter: &ClaimFilter, after: &str) -> (String, Vec<Value>) {
    let mut conditions = vec![ELIGIBLE.to_owned(), "route > ?".to_owned()];
    let mut values = vec![Value::Text(after.to_owned())];
    let of_project = ClaimFilter {
        project: filter.project.clone(),
        ..ClaimFilter::default()
    };
    add_filter(&of_project, &mut conditions, &mut values);
    let sql = format!(
        "select min(route) from p_tasks indexed by {} where {}",
        routed_index(filter),
        conditions.join(" and ")
    );
    (sql, values)
}

fn add_filter(filter: &ClaimFilter, conditions: &mut Vec<String>, values: &mut Vec<Value>) {
    if let Some(project) = &filter.project {
        conditions.push("project = ?".to_owned());
        values.push(Value::Text(project.as_str().to_owned()));
    }
    if let Some(parent) = &filter.parent {
        conditions.push("parent_id = ?".to_owned());
        values.push(Value::Text(parent.as_str().to_owned()));
    }
    for tag in &filter.tags {
        conditions.push(
            "exists (select 1 from p_tags g where g.task_id = p_tasks.task_id and g.tag = ?)"
                .to_owned(),
        );
        values.push(Value::Text(tag.clone()));
    }
}

/// Counts the tasks that `claim --next` could take.
///
/// # Errors
/// Whatever SQLite reports.
pub fn count_eligible(cache: &Connection, filter: &ClaimFilter) -> Result<u64> {
    if filter.parent.is_none() && filter.tags.is_empty() {
        let available = count_available(cache, filter)?;
        return Ok(available.saturating_sub(count_of_others(cache, filter)?));
    }
    let mut conditions = vec![ELIGIBLE.to_owned()];
    let mut values = vec![];
    if let Some(agent) = &filter.agent {
        conditions.push("(route is null or route = ?)".to_owned());
        values.push(Value::Text(agent.clone()));
    }
    add_filter(filter, &mut conditions, &mut values);
    count(cache, "count(*) from p_tasks", &conditions, values)
}

/// Those that can be claimed, whomever they are meant for: they are counted already.
fn count_available(cache: &Connection, filter: &ClaimFilter) -> Result<u64> {
    let (mut conditions, mut values) = (vec!["status = 'ready'".to_owned()], vec![]);
    add_filter(filter, &mut conditions, &mut values);
    let source = "coalesce(sum(available), 0) from p_counts";
    count(cache, source, &conditions, values)
}

/// Those of them that are meant for somebody else: few, if any.
fn count_of_others(cache: &Connection, filter: &ClaimFilter) -> Result<u64> {
    let Some(agent) = &filter.agent else {
        return Ok(0);
    };
    let mut conditions = vec![ELIGIBLE.to_owned(), "route >= '' and route <> ?".to_owned()];
    let mut values = vec![Value::Text(agent.clone())];
    add_filter(filter, &mut conditions, &mut values);
    let source = format!("count(*) from p_tasks indexed by {}", routed_index(filter));
    count(cache, &source, &conditions, values)
}

fn count(
    cache: &Connection,
    source: &str,
    conditions: &[String],
    values: Vec<Value>,
) -> Result<u64> {
    let sql = format!("select {source} where {}", conditions.join(" and "));
    let mut statement = cache.prepare_cached(&sql).on(cache, "count tasks")?;
    statement
        .query_row(params_from_iter(values), |row| super::count_column(row, 0))
        .on(cache, "count tasks")
}

/// Lists the first tasks, in the order of lists, that `claim --next` passes over, and why.
///
/// # Errors
/// Whatever SQLite reports.
pub fn list_rejected(
    cache: &Connection,
    filter: &ClaimFilter,
    limit: usize,
) -> Result<Vec<(TaskId, Ineligible)>> {
    let mut conditions = vec!["status <> 'archived'".to_owned()];
    let mut values = vec![];
    add_filter(filter, &mut conditions, &mut values);
    let index = if filter.parent.is_some() {
        "p_tasks_parent"
    } else {
        "p_tasks_order"
    };
    let sql = format!(
        "select task_id, status, open_deps, child_count, route, priority, due_at_ms, created_at
           from p_tasks indexed by {index}
          where {} order by {} limit {limit}",
        conditions.join(" and "),
        tasks::ORDER
    );
    let mut statement = cache.prepare_cached(&sql).on(cache, "explain the choice")?;
    let candidates = statement
        .query_map(params_from_iter(values), read_candidate)
        .on(cache, "explain the choice")?
        .collect::<rusqlite::Result<Vec<_>>>()
        .on(cache, "explain the choice")?;
    let agent = filter.agent.as_deref();
    let reason = |candidate: Candidate| {
        let reason = candidate.ineligible_for(agent)?;
        Some((candidate.task_id, reason))
    };
    Ok(candidates.into_iter().filter_map(reason).collect())
}

fn read_candidate(row: &Row<'_>) -> rusqlite::Result<Candidate> {
    let status: String = row.get(1)?;
    Ok(Candidate {
        task_id: TaskId::new(row.get::<_, String>(0)?),
        status: Status::find(&status).unwrap_or_default(),
        open_deps: row.get(2)?,
        child_count: row.get(3)?,
        agent: row.get(4)?,
        priority: row.get(5)?,
        due_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        created_at: Timestamp::from_millis(row.get(7)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan((sql, values): (String, Vec<Value>)) -> String {
        let cache = Connection::open_in_memory().unwrap();
        cache
            .execute_batch(include_str!("../schema/cache.sql"))
            .unwrap();
        let mut statement = cache.prepare(&format!("explain query plan {sql}")).unwrap();
        let lines = statement
            .query_map(params_from_iter(values), |row| row.get::<_, String>(3))
            .unwrap();
        lines.map(|line| line.unwrap() + "\n").collect()
    }

    #[test]
    fn tasks_of_a_route_are_found_in_their_order() {
        let mut filter = ClaimFilter::default();
        for (project, index) in [
            (None, "INDEX p_claim (route=?)"),
            (
                Some("web".into()),
                "INDEX p_claim_project (project=? AND route=?)",
            ),
        ] {
            filter.project = project;
            let seek = plan(of_route_sql(&filter, Some("ann"), 4));
            assert!(seek.contains(index), "{seek}");
            assert!(!seek.contains("TEMP B-TREE"), "{seek}");
            let next = plan(next_route_sql(&filter, ""));
            assert!(
                next.contains(&index.replace("route=?", "route>?")),
                "{next}"
            );
        }
    }
}
