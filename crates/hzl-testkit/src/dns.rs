//! A name server that knows a few names, or answers nobody: UDP and TCP, on plain sockets, byte by byte
//! (RFC 1035), so that it shares no code with any resolver under test.
//!
//! It wants a port of its own choosing at which resolvers look for it, 53: start it in a network namespace.

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::listener::Listener;

/// What a reply over UDP may hold; a longer one is cut, and asked for again over TCP.
const DATAGRAM_BYTES: usize = 512;
/// Header of a message: number, flags, counts.
const HEADER_BYTES: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
/// How long a client may take over TCP.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(10);

/// Names and their addresses.
pub type Records = Vec<(String, Vec<IpAddr>)>;

/// A running name server. Dropping it ends it.
#[derive(Debug)]
pub struct Dns {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Held, not read: TCP is served as long as it lives.
    _listener: Listener,
}

#[derive(Debug)]
struct Shared {
    /// `None`: nobody is answered.
    records: Option<Records>,
    questions: Mutex<Vec<Asked>>,
}

/// A question that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name, in lower case, without a final period.
    pub name: String,
    /// Whether it came over TCP.
    pub over_tcp: bool,
}

impl Dns {
    /// Starts one that knows these names and says of all others that they do not exist.
    #[must_use]
    pub fn start(address: SocketAddr, records: Records) -> Self {
        Self::run(address, Some(records))
    }

    /// Starts one that takes questions and never answers.
    #[must_use]
    pub fn silent(address: SocketAddr) -> Self {
        Self::run(address, None)
    }

    /// Returns the questions so far.
    ///
    /// # Panics
    ///
    /// Never: a thread that panicked leaves what it has noted.
    #[must_use]
    pub fn questions(&self) -> Vec<Asked> {
        let questions = self.shared.questions.lock();
        questions.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn run(address: SocketAddr, records: Option<Records>) -> Self {
        let socket = UdpSocket::bind(address).expect("the address of the name server is free");
        let address = socket.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            records,
            questions: Mutex::default(),
        });
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.serve_datagrams(&socket)
        });
        let listener = Listener::start_at(address, {
            let shared = Arc::clone(&shared);
            move |stream, _| {
                let shared = Arc::clone(&shared);
                // A client may ask on a second connection before it is done with the first.
                drop(thread::spawn(move || drop(shared.serve_stream(stream))));
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
            _listener: listener,
        }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        // An empty datagram is no question: it ends the thread.
        let waker = UdpSocket::bind((self.address.ip(), 0));
        let woken = waker.and_then(|waker| waker.send_to(&[], self.address));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn serve_datagrams(&self, socket: &UdpSocket) {
        let mut buffer = [0; DATAGRAM_BYTES];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let Some(question) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
                return;
            };
            let reply = self.reply(question, false);
            if let Some(reply) = reply {
                // A client that has gone is expected.
                drop(socket.send_to(&reply, client));
            }
        }
    }

    /// Answers questions, each with its length before it, until the client closes.
    fn serve_stream(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_read_timeout(Some(EXCHANGE_LIMIT))?;
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut question = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut question)?;
            if let Some(reply) = self.reply(&question, true) {
                let length = u16::try_from(reply.len()).map_err(io::Error::other)?;
                stream.write_all(&[&length.to_be_bytes(), reply.as_slice()].concat())?;
            }
        }
    }

    /// Returns the reply to a message with one question; none to one that cannot be read, or if nobody is answered.
    fn reply(&self, message: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        let (name, end) = read_name(message)?;
        let kind = u16::from_be_bytes([*message.get(end)?, *message.get(end + 1)?]);
        let question = message.get(HEADER_BYTES..end + 4)?;
        {
            let mut questions = self
                .questions
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            questions.push(Asked {
                name: name.clone(),
                over_tcp,
            });
        }
        let found = self
            .records
            .as_ref()?
            .iter()
            .find(|(known, _)| *known == name);
        let addresses = found.map(|(_, addresses)| addresses.as_slice());
        let answers: Vec<Vec<u8>> = addresses
            .unwrap_or_default()
            .iter()
            .filter_map(|address| answer(*address, kind))
            .collect();
        // A reply, recursion available; no such name is error 3.
        let flags: u16 = if found.is_some() { 0x8180 } else { 0x8183 };
        let reply = assemble(message, flags, question, &answers)?;
        if over_tcp || reply.len() <= DATAGRAM_BYTES {
            Some(reply)
        } else {
            assemble(message, flags | 0x0200, question, &[])
        }
    }
}

/// Reads the name that is asked for, and where what follows it begins.
fn read_name(message: &[u8]) -> Option<(String, usize)> {
    let mut labels = vec![];
    let mut at = HEADER_BYTES;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        let label = message.get(at..at + length)?;
        labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
        at += length;
    }
}

/// An address as an answer about the name in the question, if it is of the kind that is asked for.
fn answer(address: IpAddr, kind: u16) -> Option<Vec<u8>> {
    let bytes = match (address, kind) {
        (IpAddr::V4(address), TYPE_A) => address.octets().to_vec(),
        (IpAddr::V6(address), TYPE_AAAA) => address.octets().to_vec(),
        _ => return None,
    };
    let length = u16::try_from(bytes.len()).ok()?;
    let mut answer = vec![0xc0, 0x0c]; // the name of the question
    answer.extend(kind.to_be_bytes());
    answer.extend([0, 1, 0, 0, 0, 0]); // of the internet, not to be kept
    answer.extend(length.to_be_bytes());
    answer.extend(bytes);
    Some(answer)
}

fn assemble(message: &[u8], flags: u16, question: &[u8], answers: &[Vec<u8>]) -> Option<Vec<u8>> {
    let count = u16::try_from(answers.len()).ok()?;
    let mut reply = message.get(..2)?.to_vec();
    for number in [flags, 1, count, 0, 0] {
        reply.extend(number.to_be_bytes());
    }
    reply.extend(question);
    reply.extend(answers.concat());
    Some(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::Port;

    const LOOPBACK: ([u8; 4], u16) = ([127, 0, 0, 1], 0);

    /// Starts one at a port that is free for UDP and for TCP: a port that the system picks for the one need not be
    /// free for the other.
    fn start(records: Records) -> (Port, Dns) {
        let port = Port::reserve();
        let dns = Dns::start(port.address().parse().expect("an address"), records);
        (port, dns)
    }

    /// Asks for the IPv4 addresses of `a.test`.
    const QUESTION: &[u8] = b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\0\x01A\x04test\0\0\x01\0\x01";

    fn ask(dns: &Dns) -> Vec<u8> {
        let socket = UdpSocket::bind(SocketAddr::from(LOOPBACK)).expect("a port");
        socket
            .set_read_timeout(Some(EXCHANGE_LIMIT))
            .expect("a limit");
        socket.send_to(QUESTION, dns.address).expect("it is there");
        let mut reply = [0; DATAGRAM_BYTES];
        let length = socket.recv(&mut reply).expect("an answer");
        reply[..length].to_vec()
    }

    #[test]
    fn a_known_name_has_its_addresses_and_an_unknown_one_does_not_exist() {
        let records = vec![("a.test".to_owned(), vec![IpAddr::from([127, 0, 0, 9])])];
        let (_port, dns) = start(records);
        let reply = ask(&dns);
        assert_eq!(reply[..8], *b"\x12\x34\x81\x80\0\x01\0\x01");
        assert!(reply.ends_with(&[0, 4, 127, 0, 0, 9]), "{reply:?}");
        assert_eq!(dns.questions()[0].name, "a.test");
        let (_port, empty) = start(vec![]);
        assert_eq!(ask(&empty)[..8], *b"\x12\x34\x81\x83\0\x01\0\0");
    }

    #[test]
    fn a_long_answer_is_cut_and_whole_over_tcp() {
        let addresses = (0..100).map(|last| IpAddr::from([127, 0, 0, last]));
        let records = vec![("a.test".to_owned(), addresses.collect())];
        let (_port, dns) = start(records);
        assert_eq!(ask(&dns)[2..8], *b"\x83\x80\0\x01\0\0");
        let mut stream = TcpStream::connect(dns.address).expect("it listens");
        stream
            .set_read_timeout(Some(EXCHANGE_LIMIT))
            .expect("a limit");
        let length = u8::try_from(QUESTION.len()).expect("short");
        stream
            .write_all(&[&[0, length], QUESTION].concat())
            .expect("sent");
        let mut reply = [0; 10];
        stream.read_exact(&mut reply).expect("an answer");
        assert_eq!(reply[4..], *b"\x81\x80\0\x01\0\x64");
        assert!(dns.questions()[1].over_tcp);
    }
}
