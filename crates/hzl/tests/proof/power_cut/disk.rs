//! A disk that may lose whatever was not synced: any part of it, in any order.
//!
//! The strict reading of POSIX, stricter than any one file system: an fsync of a file makes its content
//! durable and nothing else; a name is durable when its directory was synced. Of what is not durable, each
//! write may be lost, torn at sectors, or leave only its length; each name may be there or not.

use hzl_testkit::random::Random;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use super::recording::Op;

const SECTOR: usize = 512;

type Inode = usize;

/// A file or a directory: what is durable of it, and what was done since.
#[derive(Clone, Debug)]
enum Node {
    File(Content),
    Directory(Names),
}

#[derive(Clone, Debug, Default)]
struct Content {
    durable: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

#[derive(Clone, Debug, Default)]
struct Names {
    durable: BTreeMap<String, Inode>,
    since: Vec<(String, Option<Inode>)>,
}

/// A disk at a moment of a recording.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    /// The first is the root, which is durable.
    nodes: Vec<Node>,
}

/// What a power cut does to what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// All of it is lost.
    AllLost,
    /// All of it is there.
    AllKept,
    /// Content is as chance wills, names are there.
    Content,
    /// Names are as chance wills, content is there.
    Names,
    /// Everything is as chance wills.
    Everything,
}

impl Disk {
    /// Begins with an empty directory.
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            nodes: vec![Node::Directory(Names::default())],
        }
    }

    /// Carries out a request.
    pub(crate) fn apply(&mut self, op: &Op) {
        match op {
            Op::Create(path) => {
                if self.find(path).is_none() {
                    self.link(path, Node::File(Content::default()));
                }
            }
            Op::MakeDirectory(path) => self.link(path, Node::Directory(Names::default())),
            Op::Unlink(path) => self.name(path, None),
            Op::Rename(from, to) => {
                let inode = self.find(from).expect("a file that is renamed exists");
                self.name(from, None);
                self.name(to, Some(inode));
            }
            Op::Write(path, offset, bytes) => {
                let change = Change::Write(*offset, bytes.clone());
                self.content(path).since.push(change);
            }
            Op::Truncate(path, length) => {
                self.content(path).since.push(Change::Truncate(*length));
            }
            Op::Sync(path) => self.sync(path),
            Op::Answer => {}
        }
    }

    fn find(&self, path: &Path) -> Option<Inode> {
        let below = path.strip_prefix(&self.root).expect("below the root");
        let mut inode = 0;
        for part in below {
            let Node::Directory(names) = &self.nodes[inode] else {
                return None;
            };
            let name = part.to_str().expect("UTF-8");
            inode = *names.current().get(name)?;
        }
        Some(inode)
    }

    fn link(&mut self, path: &Path, node: Node) {
        let inode = self.nodes.len();
        self.nodes.push(node);
        self.name(path, Some(inode));
    }

    fn name(&mut self, path: &Path, inode: Option<Inode>) {
        let parent = self
            .find(path.parent().expect("a parent"))
            .expect("it exists");
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("UTF-8");
        match &mut self.nodes[parent] {
            Node::Directory(names) => names.since.push((name.to_owned(), inode)),
            Node::File(_) => panic!("{} is below a file", path.display()),
        }
    }

    fn content(&mut self, path: &Path) -> &mut Content {
        let inode = self.find(path);
        let inode = inode.unwrap_or_else(|| panic!("{} does not exist", path.display()));
        match &mut self.nodes[inode] {
            Node::File(content) => content,
            Node::Directory(_) => panic!("{} is a directory", path.display()),
        }
    }

    fn sync(&mut self, path: &Path) {
        let inode = self.find(path).expect("a file that is synced exists");
        match &mut self.nodes[inode] {
            Node::File(content) => {
                for change in std::mem::take(&mut content.since) {
                    change.apply(&mut content.durable);
                }
            }
            Node::Directory(names) => {
                names.durable = names.current();
                names.since.clear();
            }
        }
    }

    /// Lays down below `target` what is left after a power cut.
    pub(crate) fn cut(&self, cut: Cut, random: &mut Random, target: &Path) {
        self.lay_down(0, target, cut, random);
    }

    fn lay_down(&self, inode: Inode, target: &Path, cut: Cut, random: &mut Random) {
        match &self.nodes[inode] {
            Node::Directory(names) => {
                fs::create_dir_all(target).expect("a directory can be made");
                for (name, inode) in names.left(cut, random) {
                    self.lay_down(inode, &target.join(name), cut, random);
                }
            }
            // It is mapped into memory and never synced: anything may be in it.
            Node::File(_) if target.extension().is_some_and(|end| end == "db-shm") => {
                let garbage = random.below(256).to_le_bytes()[0];
                match random.below(3) {
                    0 => {}
                    1 => fs::write(target, []).expect("a file can be written"),
                    _ => fs::write(target, vec![garbage; 32768]).expect("a file can be written"),
                }
            }
            Node::File(content) => {
                fs::write(target, content.left(cut, random)).expect("a file can be written");
            }
        }
    }
}

impl Names {
    fn current(&self) -> BTreeMap<String, Inode> {
        self.after(|| true)
    }

    fn after(&self, mut is_kept: impl FnMut() -> bool) -> BTreeMap<String, Inode> {
        let mut names = self.durable.clone();
        for (name, inode) in &self.since {
            if !is_kept() {
                continue;
            }
            match inode {
                Some(inode) => names.insert(name.clone(), *inode),
                None => names.remove(name),
            };
        }
        names
    }

    fn left(&self, cut: Cut, random: &mut Random) -> BTreeMap<String, Inode> {
        match cut {
            Cut::AllLost => self.durable.clone(),
            Cut::AllKept | Cut::Content => self.current(),
            Cut::Names | Cut::Everything => self.after(|| random.below(2) == 0),
        }
    }
}

impl Content {
    fn left(&self, cut: Cut, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        for change in &self.since {
            match cut {
                Cut::AllLost => {}
                Cut::AllKept | Cut::Names => change.apply(&mut bytes),
                Cut::Content | Cut::Everything => change.apply_partly(&mut bytes, random),
            }
        }
        bytes
    }
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Write(offset, written) => put(bytes, *offset, written),
            Self::Truncate(length) => bytes.resize(*length, 0),
        }
    }

    fn apply_partly(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        match (self, random.below(4)) {
            (_, 0) => {}
            (_, 1) | (Self::Truncate(_), _) => self.apply(bytes),
            // The length was written, the data was not.
            (Self::Write(offset, written), 2) => {
                let end = offset + written.len();
                bytes.resize(bytes.len().max(end), 0);
            }
            (Self::Write(offset, written), _) => {
                let mut at = *offset;
                let mut rest = written.as_slice();
                while !rest.is_empty() {
                    let (sector, after) = rest.split_at((SECTOR - at % SECTOR).min(rest.len()));
                    if random.below(2) == 0 {
                        put(bytes, at, sector);
                    }
                    at += sector.len();
                    rest = after;
                }
            }
        }
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, written: &[u8]) {
    let end = offset + written.len();
    bytes.resize(bytes.len().max(end), 0);
    bytes[offset..end].copy_from_slice(written);
}
