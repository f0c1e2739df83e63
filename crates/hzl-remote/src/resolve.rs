//! Turns the name of a host into addresses: in time, without ever panicking, and only those that may be called.
//!
//! What is returned is what is connected to: a name is resolved once for a connection, so an answer that changes
//! afterwards changes nothing.

use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::net::ToSocketAddrs as _;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::NextTimeout;

use crate::reach::PrivateHooks;
use crate::reach::Refused;

/// As many as are tried, one after the other.
const ADDRESSES: usize = 16;

/// Asks the system for the addresses of `HOST:PORT`.
pub(crate) type Lookup = fn(&str) -> io::Result<Vec<SocketAddr>>;

/// Resolves names as the system does.
#[derive(Debug)]
pub(crate) struct Names {
    lookup: Lookup,
    guard: Option<Guard>,
}

/// A host that may only have certain addresses.
#[derive(Debug)]
struct Guard {
    host: String,
    allowed: PrivateHooks,
}

impl Names {
    /// Any host may have any address.
    pub(crate) fn of_the_system() -> Self {
        Self {
            lookup: system,
            guard: None,
        }
    }

    /// This host may have only addresses that hooks may be sent to. Another one is a proxy, which the
    /// environment names.
    pub(crate) fn guarding(host: &str, allowed: PrivateHooks, lookup: Lookup) -> Self {
        let guard = Some(Guard {
            host: host.to_owned(),
            allowed,
        });
        Self { lookup, guard }
    }

    fn found(&self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Error> {
        let Some(guard) = self.guard.as_ref().filter(|guard| guard.host == host) else {
            return Ok(found);
        };
        let mut refusal: Option<Refused> = None;
        let mut kept = vec![];
        for address in found {
            match guard.allowed.check(host, address.ip()) {
                Ok(()) => kept.push(address),
                Err(refused) => refusal = Some(refused),
            }
        }
        match refusal {
            Some(refused) if kept.is_empty() => Err(Error::Other(Box::new(refused))),
            _ => Ok(kept),
        }
    }
}

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(match uri.scheme_str() {
            Some("https") => 443,
            Some("http") => 80,
            _ => 1080,
        });
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => in_time(self.lookup, &format!("{host}:{port}"), timeout)?,
        };
        let found = self.found(host, found)?;
        let mut addresses = self.empty();
        let family = config.ip_family();
        let wanted = family.keep_wanted(found.into_iter());
        wanted
            .take(ADDRESSES)
            .for_each(|address| addresses.push(address));
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(addresses)
    }
}

/// The lookup of the system.
pub(crate) fn system(host_and_port: &str) -> io::Result<Vec<SocketAddr>> {
    host_and_port.to_socket_addrs().map(Iterator::collect)
}

/// Waits for an answer no longer than allowed. The system's own lookup cannot be interrupted, so a thread is
/// left behind with it; where there can be no thread, the system's own patience has to do.
fn in_time(
    lookup: Lookup,
    host_and_port: &str,
    timeout: NextTimeout,
) -> Result<Vec<SocketAddr>, Error> {
    if timeout.after.is_not_happening() {
        return Ok(lookup(host_and_port)?);
    }
    let (sender, answer) = mpsc::sync_channel(1);
    let asked = host_and_port.to_owned();
    // Nobody listens any more when it took too long.
    let asking = move || drop(sender.send(lookup(&asked)));
    match thread::Builder::new().name("resolve".into()).spawn(asking) {
        Err(_) => Ok(lookup(host_and_port)?),
        Ok(_) => match answer.recv_timeout(*timeout.after) {
            Ok(found) => Ok(found?),
            Err(RecvTimeoutError::Timeout) => Err(Error::Timeout(timeout.reason)),
            Err(RecvTimeoutError::Disconnected) => Err(Error::HostNotFound),
        },
    }
}
