//! Servers that misbehave on purpose, and a bare HTTP exchange, both on plain sockets so that
//! they share no code with the client under test.

use std::io;
use std::io::Read;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;

use crate::listener::Listener;
use crate::listener::Stop;

/// How long one exchange may take.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(10);

/// Makes one HTTP request on a connection of its own, and returns status and body of the reply.
///
/// # Errors
///
/// When there is no connection, or the reply is not HTTP.
pub fn exchange(
    url: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> io::Result<(u16, String)> {
    let address = url.strip_prefix("http://").unwrap_or(url);
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(EXCHANGE_LIMIT))?;
    stream.set_write_timeout(Some(EXCHANGE_LIMIT))?;
    let authorization = token
        .map(|token| format!("Authorization: Bearer {token}\r\n"))
        .unwrap_or_default();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         {authorization}Content-Length: {length}\r\n\r\n{body}"
    )?;
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply)?;
    let reply = String::from_utf8_lossy(&reply);
    let status = reply
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    match (status, reply.split_once("\r\n\r\n")) {
        (Some(status), Some((_, body))) => Ok((status, body.to_owned())),
        _ => Err(io::Error::other(format!("not an HTTP reply: {reply:?}"))),
    }
}

/// A server on loopback that gives the same answer to everyone and remembers what it was sent.
#[derive(Debug)]
pub struct Stub {
    listener: Listener,
    requests: Requests,
}

type Requests = Arc<Mutex<Vec<String>>>;

/// What a [`Stub`] does with a connection.
#[derive(Debug, Clone)]
enum Behaviour {
    Silent,
    Reply(Vec<u8>),
    Stall(Vec<u8>),
    /// A beginning, then the same piece again and again, with a pause after each.
    Endless(Vec<u8>, Vec<u8>, Duration),
}

impl Stub {
    /// Starts a black hole: it accepts connections and never answers.
    #[must_use]
    pub fn silent() -> Self {
        Self::start(Behaviour::Silent)
    }

    /// Starts a server that reads one request per connection, sends these bytes and closes.
    #[must_use]
    pub fn raw(reply: impl Into<Vec<u8>>) -> Self {
        Self::start(Behaviour::Reply(reply.into()))
    }

    /// Starts a server that sends these bytes and then nothing more, without closing.
    #[must_use]
    pub fn stalling(reply: impl Into<Vec<u8>>) -> Self {
        Self::start(Behaviour::Stall(reply.into()))
    }

    /// Starts a server whose answer begins like this and then goes on with the same piece for ever, with a
    /// pause after each.
    #[must_use]
    pub fn endless(head: impl Into<Vec<u8>>, piece: impl Into<Vec<u8>>, pause: Duration) -> Self {
        Self::start(Behaviour::Endless(head.into(), piece.into(), pause))
    }

    /// Starts a server that answers every request with this status, header lines and body.
    #[must_use]
    pub fn http(status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let length = body.len();
        Self::raw(format!(
            "HTTP/1.1 {status} Stub\r\n{headers}Content-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        ))
    }

    /// Returns the address as `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// Returns the requests so far, each as it came: request line, headers, body.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn start(behaviour: Behaviour) -> Self {
        let requests = Requests::default();
        let listener = Listener::start({
            let requests = Arc::clone(&requests);
            // Kept open until the end: closing would be an answer.
            let mut swallowed = Vec::new();
            move |stream, stop| swallowed.extend(behaviour.serve(stream, &requests, stop))
        });
        Self { listener, requests }
    }
}

impl Behaviour {
    /// Serves a connection; returns it if it must stay open.
    fn serve(&self, mut stream: TcpStream, requests: &Requests, stop: &Stop) -> Option<TcpStream> {
        let (reply, then_close) = match self {
            Behaviour::Silent => (&[][..], false),
            Behaviour::Reply(reply) => (reply.as_slice(), true),
            Behaviour::Stall(reply) => (reply.as_slice(), false),
            Behaviour::Endless(head, ..) => (head.as_slice(), true),
        };
        if !reply.is_empty() || then_close {
            let request = read_request(&mut stream);
            let mut requests = requests.lock().unwrap_or_else(PoisonError::into_inner);
            requests.push(request);
            drop(requests);
            // A client that hangs up early, for instance over a large reply, is expected.
            drop(stream.write_all(reply));
        }
        if let Behaviour::Endless(_, piece, pause) = self {
            drop(stream.set_write_timeout(Some(EXCHANGE_LIMIT)));
            while !stop.is_wanted() && stream.write_all(piece).is_ok() {
                thread::park_timeout(*pause);
            }
        }
        (!then_close).then_some(stream)
    }
}

/// Reads headers and body of one request; stops early when the client does, or does not speak HTTP.
pub(crate) fn read_request(stream: &mut TcpStream) -> String {
    drop(stream.set_read_timeout(Some(EXCHANGE_LIMIT)));
    read_message(stream)
}

/// The same, from whatever a request comes through.
pub(crate) fn read_message(stream: &mut impl Read) -> String {
    let mut request = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return text;
            }
        }
        if request
            .first()
            .is_some_and(|first| !first.is_ascii_uppercase())
        {
            return text; // a TLS greeting, for instance, whose sender now waits for an answer
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return text,
            Ok(count) => request.extend(buffer.iter().take(count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_answers_as_told_and_remembers_requests() {
        let stub = Stub::http(429, &[("Retry-After", "1")], "slow down");
        let reply = exchange(&stub.url(), "POST", "/x", Some("t0k"), "hello").expect("an answer");
        assert_eq!(reply, (429, "slow down".to_owned()));
        let requests = stub.requests();
        assert_eq!(requests.len(), 1);
        assert!(
            requests[0].starts_with("POST /x HTTP/1.1\r\n"),
            "{requests:?}"
        );
        assert!(requests[0].contains("Bearer t0k") && requests[0].ends_with("\r\n\r\nhello"));
    }
}
