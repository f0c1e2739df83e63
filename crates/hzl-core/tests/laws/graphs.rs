//! Laws of the dependency graph.

use std::collections::{BTreeMap, BTreeSet};

use hzl_core::graph::{closing_cycles, find_cycles, reaches};
use hzl_core::ids::TaskId;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::runner;

type Edge = (TaskId, TaskId);

fn edges() -> impl Strategy<Value = Vec<Edge>> {
    let edge = (0..6u8, 0..6u8).prop_map(|(from, on)| (task(from), task(on)));
    vec(edge, 0..14)
}

fn task(n: u8) -> TaskId {
    TaskId::new(format!("T{n}"))
}

/// Takes tasks without open dependencies away until none is left, or none can go.
fn is_acyclic(edges: &[Edge]) -> bool {
    let mut left: BTreeSet<&Edge> = edges.iter().collect();
    loop {
        let waiting: BTreeSet<TaskId> = left.iter().map(|edge| edge.0.clone()).collect();
        let before = left.len();
        left.retain(|edge| waiting.contains(&edge.1));
        if left.len() == before {
            return left.is_empty();
        }
    }
}

#[test]
fn cutting_leaves_no_cycle_and_cuts_nothing_else() {
    let result = runner(1_000, 2).run(&edges(), |edges| {
        let closing = closing_cycles(&edges);
        let kept: Vec<Edge> = (edges.iter().enumerate())
            .filter(|(at, _)| !closing.contains(at))
            .map(|(_, edge)| edge.clone())
            .collect();
        prop_assert!(is_acyclic(&kept));
        for at in &closing {
            let earlier = edges[..*at]
                .iter()
                .enumerate()
                .filter(|(at, _)| !closing.contains(at));
            let mut with: Vec<Edge> = earlier.map(|(_, edge)| edge.clone()).collect();
            with.push(edges[*at].clone());
            prop_assert!(!is_acyclic(&with), "edge {} was cut for nothing", at);
        }
        // An edge more at the end never changes what was decided about the earlier ones.
        let shorter = edges.get(..edges.len().saturating_sub(1)).unwrap_or(&[]);
        let fewer: Vec<usize> = closing
            .iter()
            .copied()
            .filter(|at| *at < shorter.len())
            .collect();
        prop_assert_eq!(closing_cycles(shorter), fewer);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn reaching_is_the_transitive_closure() {
    let inputs = (edges(), 0..6u8, 0..6u8);
    let result = runner(1_000, 3).run(&inputs, |(edges, from, to)| {
        let (from, to) = (task(from), task(to));
        let mut reach = BTreeSet::from([from.clone()]);
        for _ in 0..6 {
            let next: Vec<TaskId> = edges
                .iter()
                .filter(|e| reach.contains(&e.0))
                .map(|e| e.1.clone())
                .collect();
            reach.extend(next);
        }
        let next = |id: &TaskId| {
            edges
                .iter()
                .filter(|e| e.0 == *id)
                .map(|e| e.1.clone())
                .collect()
        };
        prop_assert_eq!(reaches(&from, &to, next), reach.contains(&to));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn cycles_are_found_exactly_where_there_are_some() {
    let result = runner(1_000, 4).run(&edges(), |edges| {
        let cycles = find_cycles(&edges);
        prop_assert_eq!(cycles.is_empty(), is_acyclic(&edges));
        let mut times: BTreeMap<TaskId, u32> = BTreeMap::new();
        for cycle in &cycles {
            for (at, edge) in cycle.iter().enumerate() {
                prop_assert!(edges.contains(edge));
                prop_assert_eq!(&cycle[(at + 1) % cycle.len()].0, &edge.1, "a closed walk");
                *times.entry(edge.0.clone()).or_default() += 1;
            }
        }
        prop_assert!(cycles.iter().flatten().all(|edge| times[&edge.0] >= 1));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
