//! The dependency graph: reachability, and which links do not count in the end state.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::TaskId;

/// Tells whether `to` can be reached from `from` (a task reaches itself). `next` lists where a task's
/// links lead.
pub fn reaches(from: &TaskId, to: &TaskId, mut next: impl FnMut(&TaskId) -> Vec<TaskId>) -> bool {
    let mut todo = vec![from.clone()];
    let mut seen = BTreeSet::new();
    while let Some(task) = todo.pop() {
        if task == *to {
            return true;
        }
        if seen.insert(task.clone()) {
            todo.extend(next(&task));
        }
    }
    false
}

/// Tries edges in the given order and returns the indexes of those that would close a cycle of
/// earlier ones. The order is that of each edge's winning event, so all devices cut the same edge.
pub fn closing_cycles(edges: &[(TaskId, TaskId)]) -> Vec<usize> {
    let mut active: BTreeMap<&TaskId, Vec<&TaskId>> = BTreeMap::new();
    let mut closing = vec![];
    for (at, (from, on)) in edges.iter().enumerate() {
        let cycle = reaches(on, from, |task| {
            active
                .get(task)
                .map_or_else(Vec::new, |next| next.iter().copied().cloned().collect())
        });
        if cycle {
            closing.push(at);
        } else {
            active.entry(from).or_default().push(on);
        }
    }
    closing
}

/// Every elementary chain of edges that leads back to its start, one per strongly connected group of
/// tasks: what `validate` shows.
pub fn find_cycles(edges: &[(TaskId, TaskId)]) -> Vec<Vec<(TaskId, TaskId)>> {
    let mut next: BTreeMap<&TaskId, Vec<&TaskId>> = BTreeMap::new();
    for (from, on) in edges {
        next.entry(from).or_default().push(on);
    }
    let mut cycles = vec![];
    let mut reported: BTreeSet<&TaskId> = BTreeSet::new();
    for start in next.keys().copied() {
        if reported.contains(start) {
            continue;
        }
        if let Some(path) = path_back(start, &next) {
            reported.extend(path.iter().copied());
            let hops = path
                .iter()
                .copied()
                .zip(path.iter().copied().skip(1).chain([start]));
            cycles.push(hops.map(|(from, on)| (from.clone(), on.clone())).collect());
        }
    }
    cycles
}

/// The shortest way from a task back to itself, without the return to the start.
fn path_back<'a>(
    start: &'a TaskId,
    next: &BTreeMap<&'a TaskId, Vec<&'a TaskId>>,
) -> Option<Vec<&'a TaskId>> {
    let mut came_from: BTreeMap<&TaskId, &'a TaskId> = BTreeMap::new();
    let mut todo = std::collections::VecDeque::from([start]);
    while let Some(task) = todo.pop_front() {
        for &on in next.get(task).into_iter().flatten() {
            if on == start {
                let mut path = vec![task];
                while let Some(previous) = came_from.get(path.last().copied()?) {
                    path.push(previous);
                }
                path.reverse();
                return Some(path);
            }
            if !came_from.contains_key(on) {
                came_from.insert(on, task);
                todo.push_back(on);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(pairs: &[(&str, &str)]) -> Vec<(TaskId, TaskId)> {
        pairs
            .iter()
            .map(|(from, on)| (TaskId::from(*from), TaskId::from(*on)))
            .collect()
    }

    #[test]
    fn the_last_edge_of_a_cycle_is_cut() {
        assert_eq!(
            closing_cycles(&edges(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")])),
            [2]
        );
        assert_eq!(
            closing_cycles(&edges(&[("a", "b"), ("b", "a"), ("a", "a")])),
            [1, 2]
        );
        assert!(closing_cycles(&edges(&[("a", "b"), ("a", "c"), ("b", "c")])).is_empty());
    }

    #[test]
    fn each_cycle_is_found_once() {
        let found = find_cycles(&edges(&[("a", "b"), ("b", "a"), ("c", "d"), ("x", "x")]));
        assert_eq!(
            found,
            [edges(&[("a", "b"), ("b", "a")]), edges(&[("x", "x")])]
        );
        assert!(find_cycles(&edges(&[("a", "b"), ("b", "c")])).is_empty());
    }
}
