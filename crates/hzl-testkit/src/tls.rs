//! A certificate authority of one's own, and a TLS server on loopback with a certificate that is right, or wrong
//! in one way.
//!
//! Certificates are written here byte by byte (RFC 5280, RFC 8410): what is wrong with one is then exactly what the
//! test says.

use std::io;
use std::io::Read;
use std::io::Write;
use std::net::IpAddr;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey;
use rustls::ServerConfig;
use rustls::ServerConnection;
use rustls::StreamOwned;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::listener::Listener;
use crate::stub;

/// How long one exchange may take.
const EXCHANGE_LIMIT: Duration = Duration::from_secs(10);
/// How long a client gets to close its side.
const PARTING_LIMIT: Duration = Duration::from_millis(500);

/// Whom a certificate is for and how long it is good.
#[derive(Debug, Clone, Copy)]
pub struct Claims<'a> {
    /// Names of hosts.
    pub names: &'a [&'a str],
    /// Whether the address 127.0.0.1 is among them.
    pub loopback: bool,
    /// From and until when, as `YYYYMMDDhhmmssZ`.
    pub validity: [&'a str; 2],
}

impl Claims<'_> {
    /// This machine, for a long time.
    pub const GOOD: Self = Self {
        names: &["localhost"],
        loopback: true,
        validity: ["20200101000000Z", "20991231235959Z"],
    };
}

/// Signs certificates.
#[derive(Debug)]
pub struct Authority {
    name: String,
    key: SigningKey,
    certificate: Vec<u8>,
}

/// A certificate and its key.
#[derive(Debug)]
pub struct Certificate {
    der: Vec<u8>,
    key: SigningKey,
}

impl Authority {
    /// Makes an authority that nobody knows yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let key = new_key();
        let unsigned = to_be_signed(name, name, &key, &Claims::GOOD, Role::Authority);
        Self {
            name: name.to_owned(),
            certificate: signed(&unsigned, &key),
            key,
        }
    }

    /// Returns its own certificate, for those who are to trust it.
    #[must_use]
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(&self.certificate);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
            .collect();
        let lines = lines.join("\n");
        format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n")
    }

    /// Signs a certificate for a server.
    #[must_use]
    pub fn issue(&self, claims: &Claims<'_>) -> Certificate {
        let key = new_key();
        let unsigned = to_be_signed(&self.name, "server", &key, claims, Role::Server);
        Certificate {
            der: signed(&unsigned, &self.key),
            key,
        }
    }
}

impl Certificate {
    /// Makes one that vouches for itself.
    #[must_use]
    pub fn self_signed(claims: &Claims<'_>) -> Self {
        let key = new_key();
        let unsigned = to_be_signed("server", "server", &key, claims, Role::Server);
        Self {
            der: signed(&unsigned, &key),
            key,
        }
    }
}

/// Where a [`TlsServer`] has its replies from.
#[derive(Debug, Clone)]
pub enum Behind {
    /// The same for everybody.
    Reply(Vec<u8>),
    /// A server at this address of this machine that speaks plain HTTP.
    Server(SocketAddr),
}

/// A TLS server on loopback that remembers what it was sent.
#[derive(Debug)]
pub struct TlsServer {
    listener: Listener,
    connections: Arc<Connections>,
}

#[derive(Debug, Default)]
struct Connections(Mutex<Vec<Option<String>>>);

impl TlsServer {
    /// Starts a server with this certificate.
    #[must_use]
    pub fn start(certificate: Certificate, behind: Behind) -> Self {
        Self::start_at([127, 0, 0, 1].into(), certificate, behind)
    }

    /// Starts one at a free port of this address; `::` means all addresses of the machine, those of IPv4 too.
    ///
    /// # Panics
    ///
    /// When the machine has no such address.
    #[must_use]
    pub fn start_at(address: IpAddr, certificate: Certificate, behind: Behind) -> Self {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8(&certificate.key)));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the usual versions of TLS are there")
            .with_no_client_auth()
            .with_single_cert(vec![CertificateDer::from(certificate.der)], key)
            .expect("the certificate can be used");
        let (config, connections) = (Arc::new(config), Arc::<Connections>::default());
        let listener = Listener::start_at(SocketAddr::new(address, 0), {
            let connections = Arc::clone(&connections);
            move |stream, _| {
                if exchange(stream, &config, &behind, &connections).is_err() {
                    connections.add(None);
                }
            }
        });
        Self {
            listener,
            connections,
        }
    }

    /// Returns its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.listener.address().port()
    }

    /// Returns what came on each connection so far: `None` if there was no handshake, the request otherwise,
    /// which is empty if none was made. A client may be done with a connection before it is listed here.
    #[must_use]
    pub fn connections(&self) -> Vec<Option<String>> {
        self.connections.lock().clone()
    }
}

impl Connections {
    fn add(&self, connection: Option<String>) {
        self.lock().push(connection);
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Option<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shakes hands, notes the request and answers it; fails if the client does not shake hands.
fn exchange(
    mut socket: TcpStream,
    config: &Arc<ServerConfig>,
    behind: &Behind,
    connections: &Connections,
) -> io::Result<()> {
    socket.set_read_timeout(Some(EXCHANGE_LIMIT))?;
    let mut tls = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket)?;
    }
    let mut stream = StreamOwned::new(tls, socket);
    let request = stub::read_message(&mut stream);
    connections.add(Some(request.clone()));
    if !request.is_empty() {
        let reply = match behind {
            Behind::Reply(reply) => reply.clone(),
            // Without an answer there is none, which the client notices.
            Behind::Server(address) => forward(&request, *address).unwrap_or_default(),
        };
        // A client that hangs up early is expected.
        drop(stream.write_all(&reply));
        stream.conn.send_close_notify();
        drop(stream.flush());
        // Closing while something is on its way would take back what the client has not read yet.
        drop(stream.sock.shutdown(Shutdown::Write));
        drop(stream.sock.set_read_timeout(Some(PARTING_LIMIT)));
        drop(io::copy(&mut stream.sock, &mut io::sink()));
    }
    Ok(())
}

/// Asks the server behind, on a connection of its own.
fn forward(request: &str, address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(address)?;
    server.set_read_timeout(Some(EXCHANGE_LIMIT))?;
    let once = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    server.write_all(once.as_bytes())?;
    let mut reply = vec![];
    server.read_to_end(&mut reply)?;
    // The client must not wait for more on this connection, whatever the server says.
    let end = reply
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    reply.splice(end..end, *b"Connection: close\r\n");
    Ok(reply)
}

fn new_key() -> SigningKey {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).expect("the system has randomness");
    SigningKey::from_bytes(&seed)
}

/// Source: RFC 8410, section 7.
fn pkcs8(key: &SigningKey) -> Vec<u8> {
    let key = tlv(0x04, &[&tlv(0x04, &[&key.to_bytes()])]);
    tlv(0x30, &[&[0x02, 0x01, 0x00], &algorithm(), &key])
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Authority,
    Server,
}

/// Source: RFC 5280, section 4.1.
fn to_be_signed(
    issuer: &str,
    subject: &str,
    key: &SigningKey,
    claims: &Claims<'_>,
    role: Role,
) -> Vec<u8> {
    let [from, until] = claims.validity.map(|time| tlv(0x18, &[time.as_bytes()]));
    let public = key.verifying_key().to_bytes();
    let serial = tlv(0x02, &[&[0x40], &public[..8]]);
    let bits = tlv(0x03, &[&[0], &public]);
    let extensions = match role {
        Role::Authority => extension(&[0x55, 0x1d, 0x13], &tlv(0x30, &[&[0x01, 0x01, 0xff]])),
        Role::Server => extension(&[0x55, 0x1d, 0x11], &alternative_names(claims)),
    };
    tlv(
        0x30,
        &[
            &[0xa0, 0x03, 0x02, 0x01, 0x02],
            &serial,
            &algorithm(),
            &name(issuer),
            &tlv(0x30, &[&from, &until]),
            &name(subject),
            &tlv(0x30, &[&algorithm(), &bits]),
            &tlv(0xa3, &[&tlv(0x30, &[&extensions])]),
        ],
    )
}

fn signed(unsigned: &[u8], key: &SigningKey) -> Vec<u8> {
    let signature = tlv(0x03, &[&[0], &key.sign(unsigned).to_bytes()]);
    tlv(0x30, &[unsigned, &algorithm(), &signature])
}

/// Ed25519.
fn algorithm() -> Vec<u8> {
    tlv(0x30, &[&[0x06, 0x03, 0x2b, 0x65, 0x70]])
}

fn name(common: &str) -> Vec<u8> {
    let common = tlv(
        0x30,
        &[
            &[0x06, 0x03, 0x55, 0x04, 0x03],
            &tlv(0x0c, &[common.as_bytes()]),
        ],
    );
    tlv(0x30, &[&tlv(0x31, &[&common])])
}

fn alternative_names(claims: &Claims<'_>) -> Vec<u8> {
    let mut names: Vec<Vec<u8>> = claims
        .names
        .iter()
        .map(|name| tlv(0x82, &[name.as_bytes()]))
        .collect();
    if claims.loopback {
        names.push(tlv(0x87, &[&[127, 0, 0, 1]]));
    }
    tlv(0x30, &[&names.concat()])
}

fn extension(id: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(
        0x30,
        &[&tlv(0x06, &[id]), &[0x01, 0x01, 0xff], &tlv(0x04, &[value])],
    )
}

/// One value of DER: tag, length, content.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).expect("certificates are small");
    let [high, low] = length.to_be_bytes();
    let mut bytes = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    bytes.extend(content);
    bytes
}
