//! What kind of file system a store lies on.
//!
//! SQLite's WAL needs memory that all processes share, so a store on a network file system works while one machine
//! uses it and breaks when two do: <https://www.sqlite.org/howtocorrupt.html>. hzl warns and goes on, as the file
//! cannot tell how many machines there are. Only Linux tells us what a file system is.

use std::path::Path;

/// A kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// On a disk of this machine, or not known to be anything else.
    Local,
    /// In memory: gone when the machine restarts.
    Memory(&'static str),
    /// On another machine.
    Network(&'static str),
    /// Made by a program (FUSE): perhaps on another machine.
    Program(&'static str),
}

impl FileSystem {
    /// Looks at the file system of a path. What cannot be looked at counts as local.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        magic(path).map_or(Self::Local, Self::from_magic)
    }

    /// Source: `linux/magic.h` and the manual page statfs(2).
    fn from_magic(magic: u32) -> Self {
        match magic {
            0x0000_6969 => Self::Network("nfs"),
            0x0000_517b => Self::Network("smb"),
            0xfe53_4d42 => Self::Network("smb2"),
            0xff53_4d42 => Self::Network("cifs"),
            0x0102_1997 => Self::Network("9p"),
            0x5346_414f | 0x6b41_4653 => Self::Network("afs"),
            0x7375_7245 => Self::Network("coda"),
            0x00c3_6400 => Self::Network("ceph"),
            0x0bd0_0bd0 => Self::Network("lustre"),
            0x0116_1970 => Self::Network("gfs2"),
            0x7461_636f => Self::Network("ocfs2"),
            0x4750_4653 => Self::Network("gpfs"),
            0xaad7_aaea => Self::Network("panfs"),
            0x0000_564c => Self::Network("ncp"),
            0x786f_4256 => Self::Network("vboxsf"),
            0xbacb_acbc => Self::Network("vmhgfs"),
            0x6573_5546 => Self::Program("fuse"),
            // Not tmpfs: what people put there, in /tmp and in containers, is meant to go.
            0x8584_58f6 => Self::Memory("ramfs"),
            _ => Self::Local,
        }
    }

    /// Returns what somebody who keeps a store there should know.
    #[must_use]
    pub fn warning(self) -> Option<String> {
        match self {
            Self::Local => None,
            Self::Memory(name) => Some(format!(
                "the database is on {name}, in memory: it is gone when the machine restarts"
            )),
            Self::Network(name) => Some(format!(
                "the database is on {name}, a network file system: it is damaged if two machines use it at once; \
                 keep one on each machine and sync them"
            )),
            Self::Program(name) => Some(format!(
                "the database is on {name}: if that is a network file system, it is damaged if two machines use it \
                 at once"
            )),
        }
    }
}

#[cfg(target_os = "linux")]
fn magic(path: &Path) -> Option<u32> {
    let found = rustix::fs::statfs(path).ok()?;
    // A field of 32 bits, as some machines have, makes the largest numbers negative: those count as unknown.
    u32::try_from(found.f_type).ok()
}

#[cfg(not(target_os = "linux"))]
fn magic(_: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_numbers() {
        for magic in [
            0x6969,
            0x517b,
            0xfe53_4d42,
            0xff53_4d42,
            0x0102_1997,
            0x5346_414f,
            0x6b41_4653,
            0x7375_7245,
            0x00c3_6400,
            0x0bd0_0bd0,
            0x0116_1970,
            0x7461_636f,
            0x4750_4653,
            0xaad7_aaea,
            0x564c,
            0x786f_4256,
            0xbacb_acbc,
        ] {
            let found = FileSystem::from_magic(magic);
            assert!(
                matches!(found, FileSystem::Network(_)),
                "{magic:x}: {found:?}"
            );
            let warning = found.warning().unwrap();
            assert!(warning.contains("two machines"), "{warning}");
        }
        // ext4, xfs, btrfs, tmpfs, overlay, zfs, f2fs, bcachefs: no word.
        for magic in [
            0x0102_1994,
            0xef53,
            0x5846_5342,
            0x9123_683e,
            0x794c_7630,
            0x2fc1_2fc1,
            0xf2f5_2010,
            0xca45_1a4e,
        ] {
            assert_eq!(FileSystem::from_magic(magic).warning(), None, "{magic:x}");
        }
        assert_eq!(
            FileSystem::from_magic(0x6573_5546),
            FileSystem::Program("fuse")
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_real_file_system_is_asked() {
        assert_eq!(magic(Path::new("/proc")), Some(0x9fa0));
        assert_eq!(FileSystem::of(Path::new("/nosuch")), FileSystem::Local);
    }
}
