//! What a run asked the disk to do: decoded from the text of strace, or the test fails.

use std::path::Path;
use std::path::PathBuf;

/// A request to the disk, or news for somebody outside.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A file is made, empty.
    Create(PathBuf),
    /// A directory is made.
    MakeDirectory(PathBuf),
    /// A name goes away.
    Unlink(PathBuf),
    /// A name becomes another.
    Rename(PathBuf, PathBuf),
    /// Bytes are written at an offset.
    Write(PathBuf, usize, Vec<u8>),
    /// A file gets this length.
    Truncate(PathBuf, usize),
    /// A file or directory is to be on the disk when this returns.
    Sync(PathBuf),
    /// The answer of a command is printed.
    Answer,
}

/// The system calls that change files, in any way that Linux has.
pub(crate) const CALLS: [&str; 27] = [
    "open",
    "openat",
    "openat2",
    "creat",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "pwritev2",
    "truncate",
    "ftruncate",
    "fallocate",
    "fsync",
    "fdatasync",
    "sync_file_range",
    "msync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "link",
    "linkat",
    "copy_file_range",
];

/// Reads what strace recorded of one command: the requests below `root`, and the answer.
pub(crate) fn decode(text: &str, root: &Path) -> Vec<Op> {
    text.lines()
        .filter_map(|line| decode_line(line, root))
        .collect()
}

fn decode_line(line: &str, root: &Path) -> Option<Op> {
    let (_thread, call) = line.split_once(char::is_whitespace)?;
    let call = call.trim_start();
    if call.starts_with("+++") || call.starts_with("---") {
        return None;
    }
    assert!(
        !call.contains("<unfinished") && !call.starts_with("<..."),
        "two threads at a time cannot be decoded: {line:.200}"
    );
    let (name, rest) = call.split_once('(').expect("a call has arguments");
    let (arguments, result) = rest.rsplit_once(" = ").expect("a call has a result");
    if result.starts_with('-') {
        return None; // nothing happened
    }
    let strings: Vec<Vec<u8>> = arguments.split('"').skip(1).step_by(2).map(bytes).collect();
    let file = arguments.split_once('<').map(|(_, rest)| {
        let (path, _) = rest.split_once('>').expect("a path has an end");
        path_of(&bytes(path))
    });
    let named = |nth: usize| path_of(strings.get(nth).expect("a name"));
    let numbers: Vec<&str> = arguments.trim_end_matches(')').rsplit(", ").collect();
    let number = |text: &str| text.parse::<usize>().expect("a number");
    let op = match name {
        "openat" if arguments.contains("O_CREAT") => Op::Create(named(0)),
        "open" | "openat" | "openat2" => return None,
        "write" if arguments.starts_with("1<") => return Some(Op::Answer),
        "pwrite64" => {
            let written = strings.into_iter().next().expect("bytes");
            assert_eq!(number(result.trim()), written.len(), "a short write");
            Op::Write(file?, number(numbers[0]), written)
        }
        "ftruncate" => Op::Truncate(file?, number(numbers[0])),
        "fsync" | "fdatasync" => Op::Sync(file?),
        "unlink" => Op::Unlink(named(0)),
        "rename" | "renameat2" => Op::Rename(named(0), named(1)),
        "mkdir" => Op::MakeDirectory(named(0)),
        _ => {
            let below = strings.iter().map(|text| path_of(text)).chain(file);
            let touched = below.filter(|path| path.starts_with(root)).count();
            assert!(touched == 0, "cannot be decoded: {line:.300}");
            return None;
        }
    };
    let path = match &op {
        Op::Create(path) | Op::MakeDirectory(path) | Op::Unlink(path) | Op::Rename(path, _) => path,
        Op::Write(path, ..) | Op::Truncate(path, _) | Op::Sync(path) => path,
        Op::Answer => return Some(op),
    };
    path.starts_with(root).then_some(op)
}

/// Reads a string in hex, as `-xx` writes it.
fn bytes(text: &str) -> Vec<u8> {
    let mut digits = text.split("\\x");
    let before = digits.next().unwrap_or_default();
    // A descriptor that is no file, such as <pipe:[1]>, is not in hex.
    let mut bytes = before.as_bytes().to_vec();
    for digit in digits {
        let pair = digit.get(..2).expect("two digits");
        bytes.push(u8::from_str_radix(pair, 16).expect("hex"));
        bytes.extend(&digit.as_bytes()[2..]);
    }
    bytes
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8(bytes.to_vec()).expect("a path of a test is UTF-8"))
}
