//! Says which commit hzl is built from, for `hzl --version`, and links src/memory.c where it is wanted.
//!
//! The commit is that of `HZL_BUILD_COMMIT`, its day that of `SOURCE_DATE_EPOCH`; what is not given there, git is
//! asked for, if hzl lies in a repository of its own. Where neither knows (an unpacked archive), the version stands
//! alone. Everything is of the commit and nothing of the moment, so that two builds of one commit are the same.
//! Whether files were changed after it is not said: to know that, every build would have to look at all of them.

use std::env;
use std::path::Path;
use std::process::Command;

/// How much of a commit's name is shown. Git itself would show more in a larger copy of the same repository.
const SHOWN: usize = 7;
const COMMIT: &str = "HZL_BUILD_COMMIT";
const DATE: &str = "SOURCE_DATE_EPOCH";
const SECONDS_PER_DAY: u64 = 86_400;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    name_the_version();
    replace_memory_functions();
}

/// Copies and compares by src/memory.c instead of by what musl has for x86-64.
fn replace_memory_functions() {
    let source = "src/memory.c";
    println!("cargo::rerun-if-changed={source}");
    let target = |what| given(&format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if (target("ENV"), target("ARCH")) != ("musl".to_owned(), "x86_64".to_owned()) {
        return;
    }
    let mut compiler = cc::Build::new();
    compiler.file(source).opt_level(2).flag("-fno-builtin");
    compiler.flag_if_supported("-fno-tree-loop-distribute-patterns");
    compiler.compile("hzl_memory");
    for name in ["memcpy", "memmove", "memcmp", "bcmp"] {
        println!("cargo::rustc-link-arg-bins=-Wl,--wrap={name}");
    }
}

/// Sets `HZL_VERSION`.
fn name_the_version() {
    println!("cargo::rerun-if-env-changed={COMMIT}");
    println!("cargo::rerun-if-env-changed={DATE}");
    // Asked now: two copies of hzl that are built into one directory share this program.
    let directory = env::var("CARGO_MANIFEST_DIR").expect("cargo says where the package is");
    let root = &format!("{directory}/../..");
    // The repository that hzl was unpacked into, if it is another's, has nothing to say about hzl.
    let repository = Path::new(root)
        .join(".git")
        .exists()
        .then_some(root.as_str());

    let commit = given(COMMIT).map(|commit| {
        let is_one = commit.len() >= SHOWN && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_one, "{COMMIT} is not the name of a commit: {commit}");
        commit
    });
    let seconds = given(DATE).map(|seconds| {
        let read = seconds.parse::<u64>();
        read.unwrap_or_else(|_| panic!("{DATE} is not a number of seconds: {seconds}"))
    });
    let (commit, seconds) = match (commit, repository) {
        (None, Some(root)) => {
            watch(root);
            let of_head = git(root, &["show", "--no-patch", "--format=%ct", "HEAD"]);
            let of_head = of_head.and_then(|seconds| seconds.parse().ok());
            (git(root, &["rev-parse", "HEAD"]), seconds.or(of_head))
        }
        // The day of HEAD need not be that of the commit that was named.
        (commit, _) => (commit, seconds),
    };
    let commit = commit.map(|commit| commit.chars().take(SHOWN).collect::<String>());
    let known: Vec<String> = commit.into_iter().chain(seconds.map(day)).collect();
    let version = env!("CARGO_PKG_VERSION");
    let version = match known.as_slice() {
        [] => version.to_owned(),
        known => format!("{version} ({})", known.join(" ")),
    };
    println!("cargo::rustc-env=HZL_VERSION={version}");
}

fn given(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Has this asked again when another commit is checked out, and only then: a file that is not there would have
/// cargo ask at every build. The log of HEAD is there for the commit after which a packed branch gets its own file.
fn watch(root: &str) {
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    let names = ["HEAD", "packed-refs", "logs/HEAD"].map(str::to_owned);
    for name in names.into_iter().chain(branch) {
        // In a worktree HEAD and branches lie in different directories; git knows which.
        let path = git(root, &["rev-parse", "--git-path", &name]);
        let path = path.map(|path| Path::new(root).join(path));
        if let Some(path) = path.filter(|path| path.exists()) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
}

/// Returns what git answers, or nothing if it cannot be asked or does not know.
fn git(root: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new("git");
    command.arg("-C").arg(root).args(arguments);
    // A hook of git that builds hzl would point to the repository it runs for.
    command.env_remove("GIT_DIR").env_remove("GIT_WORK_TREE");
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let text = text.trim();
    (output.status.success() && !text.is_empty()).then(|| text.to_owned())
}

/// Returns the day in UTC as `YYYY-MM-DD`.
fn day(seconds: u64) -> String {
    let mut days = seconds / SECONDS_PER_DAY;
    let is_leap = |year: u64| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let mut year = 1970;
    while days >= 365 + u64::from(is_leap(year)) {
        days -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}", days + 1)
}
