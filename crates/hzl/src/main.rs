//! The `hzl` binary.
fn main() {}
