//! The least a process costs: it starts and ends.

fn main() {}
