//! What the static program copies and compares with (src/memory.c), against the obvious loops.

use std::env;
use std::path::Path;
use std::process::Command;

/// As `build.rs` compiles it, and without optimisation, where other mistakes show.
#[test]
fn memory_is_copied_and_compared_as_the_obvious_loops_do() {
    let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let directory = tempfile::tempdir().expect("a directory");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/memory_check.c");
    for level in ["-O2", "-O0"] {
        let program = directory.path().join("check");
        let mut compile = Command::new(&compiler);
        compile.args([level, "-fno-builtin", "-Wall", "-Wextra", "-Werror"]);
        let compiled = compile.arg(&source).arg("-o").arg(&program).output();
        let compiled = compiled.expect("a C compiler, as for SQLite");
        let said = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{level}: {said}");
        let ran = Command::new(&program).output().expect("the program runs");
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success(), "{level}: {said} ({})", ran.status);
        let checks = said.trim().strip_suffix(" checks");
        let checks: u64 = checks.and_then(|n| n.parse().ok()).unwrap_or_default();
        assert!(checks > 40_000, "{level}: {said}");
    }
}
