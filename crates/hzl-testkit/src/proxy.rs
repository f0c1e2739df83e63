//! A proxy in front of a server that does to each request what a bad network, a bad gateway or a bad
//! moment may do to it.
//!
//! It works on bytes: a request is read whole, the fault of its turn is carried out, and what reaches
//! the server and the client is exactly what the fault says. The server is a real one and is asked on a
//! connection of its own for each request. Nothing here knows what the bytes mean, with one exception:
//! [`Fault::Token`] replaces the token.

mod connection;
mod message;

use std::collections::HashMap;
use std::collections::VecDeque;
use std::io;
use std::io::Write as _;
use std::net::Shutdown;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::thread;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;

use self::message::Message;
use crate::port::Port;

/// What happens to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is forwarded, and the reply comes back.
    None,
    /// The server gets that many bytes of it, then both connections end.
    CutRequest {
        /// How many; all of them at most.
        after_bytes: usize,
        /// How the client's connection ends.
        end: End,
    },
    /// The server does its work, and the client gets that many bytes of the reply.
    CutReply {
        /// How many; all of them at most.
        after_bytes: usize,
        /// How the client's connection ends.
        end: End,
    },
    /// Nothing, unless request or reply is longer than that: then it is cut there, as by the two above.
    CutLong {
        /// How many bytes pass.
        after_bytes: usize,
    },
    /// The connection is reset before a byte of the request was read.
    HangUp,
    /// Nothing ever happens; the server hears nothing.
    Silence,
    /// It is forwarded after this time, whether or not the client still waits.
    Delay(Duration),
    /// The client gets these bytes as the reply, and the connection ends.
    Answer {
        /// The whole reply, head included.
        reply: Vec<u8>,
        /// Whether the server has done its work before.
        server: Server,
    },
    /// The server does its work, and the client gets a well-formed reply with the beginning of the body.
    CutBody {
        /// How many bytes of the body; all of them at most.
        after_bytes: usize,
    },
    /// Request and reply crawl. Whoever hangs up while the request is under way was never heard.
    Slow {
        /// The speed in each direction.
        bytes_per_second: u32,
    },
    /// The server gets it twice; the client gets the second reply.
    Twice,
    /// It is kept until [`Proxy::deliver`]; the client is hung up on at once, as if it had given up.
    Keep,
    /// It is forwarded with this token.
    Token(String),
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Orderly.
    Fin,
    /// By a reset.
    Rst,
}

/// Whether the server has seen a request that something else answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// It has done its work; its reply is lost.
    Asked,
    /// It knows nothing of it.
    NotAsked,
}

impl Fault {
    /// This status instead of the server's reply.
    #[must_use]
    pub fn status(status: u16, server: Server) -> Self {
        Self::http(status, "", "no luck", server)
    }

    /// A redirect to this address; the server is not asked.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        let header = format!("Location: {location}\r\n");
        Self::http(status, &header, "", Server::NotAsked)
    }

    /// Status 200 with this body instead of the server's reply.
    #[must_use]
    pub fn body(body: &str, server: Server) -> Self {
        Self::http(200, "Content-Type: application/json\r\n", body, server)
    }

    fn http(status: u16, headers: &str, body: &str, server: Server) -> Self {
        let length = body.len();
        let reply = format!(
            "HTTP/1.1 {status} Proxy\r\n{headers}Content-Length: {length}\r\n\
             Connection: close\r\n\r\n{body}"
        );
        let reply = reply.into_bytes();
        Self::Answer { reply, server }
    }
}

/// One request, as far as it was read, and what came back for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Bytes that the client sent, head included.
    pub request_bytes: usize,
    /// Bytes that were sent to the client, head included.
    pub reply_bytes: usize,
}

/// A proxy on a loopback port. Dropping it ends all its connections and threads.
#[derive(Debug)]
pub struct Proxy {
    port: Port,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
}

/// What the threads of a proxy share.
#[derive(Debug)]
struct Shared {
    /// `HOST:PORT` of the server.
    server: String,
    state: Mutex<State>,
    /// Notified when `open` becomes false.
    closing: Condvar,
}

#[derive(Debug)]
struct State {
    open: bool,
    plan: VecDeque<Fault>,
    usual: Fault,
    exchanges: Vec<Exchange>,
    kept: Vec<Message>,
    /// Both ends of everything under way, so that blocked threads can be woken.
    sockets: HashMap<u64, TcpStream>,
    next_socket: u64,
    workers: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Starts a proxy in front of the server at `http://HOST:PORT`, without faults.
    ///
    /// # Panics
    ///
    /// When no port can be opened.
    #[must_use]
    pub fn start(server: &str) -> Self {
        let shared = Arc::new(Shared {
            server: server.trim_start_matches("http://").to_owned(),
            state: Mutex::new(State {
                open: false,
                plan: VecDeque::new(),
                usual: Fault::None,
                exchanges: vec![],
                kept: vec![],
                sockets: HashMap::new(),
                next_socket: 0,
                workers: vec![],
            }),
            closing: Condvar::new(),
        });
        let mut proxy = Self {
            port: Port::reserve(),
            shared,
            listening: None,
        };
        proxy.open();
        proxy
    }

    /// Returns the address as `http://127.0.0.1:PORT`. It stays the same when closed and opened.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Says what happens to the next requests, one fault each, behind what was planned before.
    pub fn plan(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.state().plan.extend(faults);
    }

    /// Says what happens to every request for which nothing is planned.
    pub fn usually(&self, fault: Fault) {
        self.shared.state().usual = fault;
    }

    /// Forgets all faults; returns how many planned ones had not been used.
    pub fn calm(&self) -> usize {
        let mut state = self.shared.state();
        state.usual = Fault::None;
        std::mem::take(&mut state.plan).len()
    }

    /// Returns all requests so far, in the order in which they were read.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.shared.state().exchanges.clone()
    }

    /// Delivers the requests that were kept, in order; returns how many. Their replies reach nobody.
    ///
    /// # Panics
    ///
    /// When the server does not answer.
    pub fn deliver(&self) -> usize {
        let kept = std::mem::take(&mut self.shared.state().kept);
        for request in &kept {
            let reply = self.shared.ask(request.bytes());
            reply.expect("the server answers a late request");
        }
        kept.len()
    }

    /// Forgets the requests that were kept.
    pub fn forget(&self) {
        self.shared.state().kept.clear();
    }

    /// Refuses connections from now on, and ends those under way.
    pub fn close(&mut self) {
        {
            let mut state = self.shared.state();
            state.open = false;
            for socket in state.sockets.values() {
                drop(socket.shutdown(Shutdown::Both));
            }
        }
        self.shared.closing.notify_all();
        if let Some(listening) = self.listening.take() {
            // Wakes the thread up, which then sees that it is over.
            drop(TcpStream::connect(self.port.address()));
            drop(listening.join());
        }
        let workers = std::mem::take(&mut self.shared.state().workers);
        for worker in workers {
            drop(worker.join());
        }
    }

    /// Accepts connections again.
    ///
    /// # Panics
    ///
    /// When the port cannot be opened.
    pub fn open(&mut self) {
        if self.listening.is_some() {
            return;
        }
        let listener = TcpListener::bind(self.port.address()).expect("the port is reserved");
        self.shared.state().open = true;
        let shared = Arc::clone(&self.shared);
        self.listening = Some(thread::spawn(move || accept(&listener, &shared)));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        let mut state = shared.state();
        if !state.open {
            return;
        }
        // A connection that broke before it was accepted is the client's business.
        let Ok(client) = client else { continue };
        state.workers.retain(|worker| !worker.is_finished());
        let shared = Arc::clone(shared);
        let worker = thread::spawn(move || connection::serve(client, &shared));
        state.workers.push(worker);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next_fault(&self) -> Fault {
        let mut state = self.state();
        let usual = state.usual.clone();
        state.plan.pop_front().unwrap_or(usual)
    }

    /// Notes a request; returns its number.
    fn note_request(&self, request: &Message) -> usize {
        let mut state = self.state();
        state.exchanges.push(Exchange {
            request_bytes: request.bytes().len(),
            reply_bytes: 0,
        });
        state.exchanges.len() - 1
    }

    fn note_reply(&self, number: usize, bytes: usize) {
        if let Some(exchange) = self.state().exchanges.get_mut(number) {
            exchange.reply_bytes = bytes;
        }
    }

    /// Makes a socket known, so that closing the proxy ends it. `None`: the proxy is closed.
    fn register(&self, socket: &TcpStream) -> Option<u64> {
        let socket = socket.try_clone().ok()?;
        let mut state = self.state();
        if !state.open {
            return None;
        }
        let id = state.next_socket;
        state.next_socket += 1;
        state.sockets.insert(id, socket);
        drop(state);
        Some(id)
    }

    fn forget(&self, id: u64) {
        self.state().sockets.remove(&id);
    }

    /// Waits; `false`: the proxy was closed meanwhile.
    fn pause(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.state();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if !state.open || left.is_zero() {
                return state.open;
            }
            (state, _) = self
                .closing
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sends a request to the server and returns its reply.
    fn ask(&self, request: &[u8]) -> io::Result<Message> {
        self.with_server(|server| {
            server.write_all(request)?;
            Message::read_reply(server)
        })
    }

    /// Sends the beginning of a request to the server and hangs up.
    fn begin(&self, request: &[u8]) -> io::Result<()> {
        self.with_server(|server| server.write_all(request))
    }

    fn with_server<T>(&self, talk: impl FnOnce(&mut TcpStream) -> io::Result<T>) -> io::Result<T> {
        let mut server = TcpStream::connect(&self.server)?;
        server.set_nodelay(true)?;
        let Some(id) = self.register(&server) else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let result = talk(&mut server);
        self.forget(id);
        result
    }
}

#[cfg(test)]
mod tests;
