//! A relay in front of a real server, on which single requests and replies get lost.
//!
//! It speaks HTTP with one request per connection and changes nothing. What is to happen to the next
//! requests is said beforehand, so tests that use it are deterministic.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::listener::Listener;
use crate::listener::Stop;
use crate::stub::exchange;
use crate::stub::read_request;

/// How often a request that is held back looks whether the relay has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It reaches the server, and the reply comes back.
    Pass,
    /// It never arrives: the connection is closed.
    LoseRequest,
    /// The server carries it out, and the connection is closed.
    LoseReply,
}

/// A relay on loopback. Dropping it ends it.
#[derive(Debug)]
pub struct Relay {
    listener: Listener,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    server: String,
    requests: AtomicU64,
    fates: Mutex<Fates>,
    changed: Condvar,
}

#[derive(Debug)]
struct Fates {
    next: VecDeque<Fate>,
    then: Fate,
    /// How many requests pass before one is held back.
    hold_after: Option<u64>,
    is_held: bool,
}

impl Shared {
    /// Keeps a request that is to be held back until it may go on.
    fn hold(&self, stop: &Stop) {
        let mut fates = self.fates();
        match fates.hold_after {
            Some(0) => fates.is_held = true,
            Some(left) => fates.hold_after = Some(left - 1),
            None => {}
        }
        while fates.is_held && !stop.is_wanted() {
            let waited = self.changed.wait_timeout(fates, POLL_INTERVAL);
            fates = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(fates);
    }

    /// Carries out one request, as planned.
    fn serve(&self, mut stream: TcpStream, stop: &Stop) {
        let request = read_request(&mut stream);
        if request.is_empty() {
            return;
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        let fate = {
            let mut fates = self.fates();
            let then = fates.then;
            fates.next.pop_front().unwrap_or(then)
        };
        self.hold(stop);
        if fate == Fate::LoseRequest {
            return;
        }
        let reply = forward(&self.server, &request);
        if fate == Fate::Pass
            && let Some((status, body)) = reply
        {
            let length = body.len();
            let reply = format!(
                "HTTP/1.1 {status} Relayed\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            // A client that hangs up early is expected.
            drop(stream.write_all(reply.as_bytes()));
        }
    }

    fn fates(&self) -> MutexGuard<'_, Fates> {
        self.fates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relay {
    /// Starts a relay to the server with this address, `http://127.0.0.1:PORT`. Everything passes.
    #[must_use]
    pub fn to(server: &str) -> Self {
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            requests: AtomicU64::new(0),
            fates: Mutex::new(Fates {
                next: VecDeque::new(),
                then: Fate::Pass,
                hold_after: None,
                is_held: false,
            }),
            changed: Condvar::new(),
        });
        let listener = Listener::start({
            let shared = Arc::clone(&shared);
            move |stream, stop| shared.serve(stream, stop)
        });
        Self { listener, shared }
    }

    /// Returns the address of the relay as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Says what happens to the next requests, and to all after them.
    pub fn plan(&self, next: &[Fate], then: Fate) {
        let mut fates = self.shared.fates();
        fates.next = next.iter().copied().collect();
        fates.then = then;
    }

    /// Lets this many requests pass and holds the one after them back, before it reaches the server.
    pub fn hold(&self, after: u64) {
        self.shared.fates().hold_after = Some(after);
    }

    /// Waits until a request is held back.
    ///
    /// # Panics
    ///
    /// When none comes within 20 seconds.
    #[track_caller]
    pub fn wait_until_held(&self) {
        crate::wait_until(Duration::from_secs(20), "a request is held back", || {
            self.shared.fates().is_held
        });
    }

    /// Lets the request go on that is held back.
    pub fn go_on(&self) {
        {
            let mut fates = self.shared.fates();
            fates.is_held = false;
            fates.hold_after = None;
        }
        self.shared.changed.notify_all();
    }

    /// Returns how many requests have come so far, lost ones included.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

/// Repeats a request to the server. `None`: it does not answer, and neither does the relay.
fn forward(server: &str, request: &str) -> Option<(u16, String)> {
    let (head, body) = request.split_once("\r\n\r\n")?;
    let mut words = head.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let token = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_token = name.eq_ignore_ascii_case("authorization");
        value.trim().strip_prefix("Bearer ").filter(|_| is_token)
    });
    exchange(server, method, path, token, body).ok()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::stub::Stub;

    #[test]
    fn requests_pass_or_are_lost_as_planned() {
        let server = Stub::http(200, &[], "hello");
        let relay = Relay::to(&server.url());
        relay.plan(
            &[Fate::Pass, Fate::LoseReply, Fate::LoseRequest],
            Fate::Pass,
        );
        let ask = || exchange(&relay.url(), "POST", "/x", Some("t0k"), "body").ok();
        let hello = Some((200, "hello".to_owned()));
        assert_eq!(ask(), hello);
        assert_eq!(ask(), None);
        assert_eq!(server.requests().len(), 2, "only the reply was lost");
        assert_eq!(ask(), None);
        assert_eq!(server.requests().len(), 2, "the request was lost");
        assert_eq!(ask(), hello);
        assert_eq!(relay.requests(), 4);
        relay.hold(1);
        assert_eq!(ask(), hello);
        thread::scope(|scope| {
            let held = scope.spawn(ask);
            relay.wait_until_held();
            assert_eq!(server.requests().len(), 4, "it has not arrived");
            relay.go_on();
            assert_eq!(held.join().expect("no panic"), hello);
        });
        assert_eq!(ask(), hello, "once");
        let last = server.requests().pop().expect("a request");
        assert!(
            last.starts_with("POST /x ") && last.ends_with("body"),
            "{last}"
        );
        assert!(last.contains("Bearer t0k"), "{last}");
    }
}
