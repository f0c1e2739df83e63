//! Programs that tests need and a machine may not have: fetched once into `target/`, by a script each.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

/// Returns the path of a file in this folder of `target/`, after running the script if it is missing.
///
/// # Panics
///
/// When the script fails, with what it said; `what` is what the test needs.
pub(crate) fn fetched(folder: &str, file: &str, script: &str, what: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = root.join("target").join(folder);
    let path = folder.join(file);
    if path.exists() {
        return path;
    }
    fs::create_dir_all(&folder).expect("folders can be made in target/");
    let lock = File::create(folder.join(".lock")).expect("target/ is writable");
    lock.lock().expect("files in target/ can be locked");
    // Another test process may have fetched it meanwhile; then the script does nothing.
    let script = root.join("scripts").join(script);
    let output = Command::new(&script)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{} does not start: {error}", script.display()));
    assert!(
        output.status.success() && path.exists(),
        "this test needs {what}, and {} failed ({}):\n{}{}",
        script.display(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    path
}
