//! Loopback ports for servers that stop and come back: nobody takes the port meanwhile.

use std::fs;
use std::fs::File;
use std::io;
use std::net::TcpListener;

/// Ports below the range from which systems pick by themselves, so that no outgoing connection
/// takes the port of a stopped server.
const FIRST_PORT: u16 = 10_000;
const PORTS: u16 = 20_000;

/// A loopback port that no other test on this machine uses, for as long as the value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Held, not read: the lock ends with the file handle.
    _lock: File,
}

impl Port {
    /// Finds one that is free.
    ///
    /// # Panics
    ///
    /// When the temporary directory cannot be written, or loopback ports cannot be opened.
    #[must_use]
    pub fn reserve() -> Self {
        let directory = std::env::temp_dir().join("hzl-test-ports");
        fs::create_dir_all(&directory).expect("the temporary directory is writable");
        loop {
            let random = getrandom::u32().expect("the system has random bytes");
            let offset = u16::try_from(random % u32::from(PORTS)).expect("PORTS is an u16");
            let number = FIRST_PORT + offset;
            let lock =
                File::create(directory.join(number.to_string())).expect("a lock file can be made");
            if lock.try_lock().is_err() {
                continue;
            }
            match TcpListener::bind(("127.0.0.1", number)) {
                Ok(_) => {
                    return Self {
                        number,
                        _lock: lock,
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => panic!("loopback ports cannot be opened: {error}"),
            }
        }
    }

    /// Returns `127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}
