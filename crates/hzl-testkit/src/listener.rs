//! A listener, on loopback unless told otherwise, with a thread that serves one connection after the other until it is dropped.

use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;

/// Tells a server that its listener is being dropped.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A listener that serves. Dropping it wakes a server that has parked its thread.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    /// Starts one at a free port of 127.0.0.1. What `serve` owns lives as long as the listener.
    pub(crate) fn start(serve: impl FnMut(TcpStream, &Stop) + Send + 'static) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), serve)
    }

    /// Starts one at this address.
    pub(crate) fn start_at(
        address: SocketAddr,
        mut serve: impl FnMut(TcpStream, &Stop) + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("a port of this machine can be opened");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let stop = Stop::default();
        let thread = thread::spawn({
            let stop = stop.clone();
            move || {
                for stream in listener.incoming() {
                    if stop.is_wanted() {
                        break;
                    }
                    // A connection that broke before it was accepted is the client's business.
                    if let Ok(stream) = stream {
                        serve(stream, &stop);
                    }
                }
            }
        });
        Self {
            address,
            stop,
            thread: Some(thread),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::SeqCst);
        // Wakes the thread up, which then sees that it is over. No connection means it already is.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}
