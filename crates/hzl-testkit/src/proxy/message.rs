//! One HTTP message as bytes: where its head ends, and where it ends itself.

use std::io;
use std::io::Read as _;
use std::net::TcpStream;

/// A request or a reply, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    bytes: Vec<u8>,
    head: usize,
}

/// What to do with the last byte of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LastByte {
    Taken,
    /// Looked at only: a socket that is closed with something unread resets its connection.
    Left,
}

/// How long the body of a message is.
enum Length {
    Known(usize),
    Chunked,
    UntilClosed,
}

impl Message {
    /// Reads a request. An end in the middle of it is an error.
    pub(super) fn read_request(client: &mut TcpStream, last: LastByte) -> io::Result<Self> {
        let mut message = Self::read_head(client)?;
        // A request without a length has no body.
        let length = match message.length() {
            Length::Known(length) => length,
            Length::Chunked | Length::UntilClosed => 0,
        };
        let end = message.head + length;
        if last == LastByte::Taken || length == 0 {
            message.read_up_to(end, client)?;
        } else {
            message.read_up_to(end - 1, client)?;
            let mut byte = [0];
            if client.peek(&mut byte)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            message.bytes.extend(byte);
        }
        Ok(message)
    }

    /// Reads a reply. An end in the middle of it is an error.
    pub(super) fn read_reply(server: &mut TcpStream) -> io::Result<Self> {
        let mut message = Self::read_head(server)?;
        match message.length() {
            Length::Known(length) => message.read_up_to(message.head + length, server)?,
            Length::Chunked => {
                // Nothing follows on this connection: the last chunk ends the message.
                while !message.bytes.ends_with(b"\r\n0\r\n\r\n") {
                    message.read_up_to(message.bytes.len() + 1, server)?;
                }
            }
            Length::UntilClosed => {
                server.read_to_end(&mut message.bytes)?;
            }
        }
        Ok(message)
    }

    /// The message, head included.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The head without the empty line behind it.
    fn head(&self) -> String {
        let head = self.bytes.get(..self.head).unwrap_or_default();
        String::from_utf8_lossy(head).trim_end().to_owned()
    }

    fn body(&self) -> &[u8] {
        self.bytes.get(self.head..).unwrap_or_default()
    }

    /// The message with another header of that name, and without those of these names.
    fn with_head(&self, without: &[&str], with: &str, body: &[u8]) -> Vec<u8> {
        let head = self.head();
        let kept = head.lines().filter(|line| {
            let name = line.split(':').next().unwrap_or_default();
            !without.iter().any(|other| other.eq_ignore_ascii_case(name))
        });
        let mut bytes = Vec::new();
        for line in kept.chain([with]) {
            bytes.extend(line.as_bytes());
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        bytes
    }

    /// The request with this token.
    pub(super) fn with_token(&self, token: &str) -> Vec<u8> {
        let header = format!("Authorization: Bearer {token}");
        self.with_head(&["authorization"], &header, self.body())
    }

    /// The reply with the beginning of its body only, its length corrected.
    pub(super) fn with_body_cut(&self, after_bytes: usize) -> Vec<u8> {
        let body = self.body();
        let body = body.get(..after_bytes).unwrap_or(body);
        let header = format!("Content-Length: {}", body.len());
        self.with_head(&["content-length", "transfer-encoding"], &header, body)
    }

    /// Whether the connection ends behind this reply.
    pub(super) fn closes(&self) -> bool {
        matches!(self.length(), Length::UntilClosed)
            || self
                .header("connection")
                .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }

    fn header(&self, name: &str) -> Option<String> {
        let head = self.head();
        let mut headers = head.lines().filter_map(|line| line.split_once(':'));
        headers
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
    }

    fn length(&self) -> Length {
        let known = self.header("content-length");
        if self.header("transfer-encoding").is_some() {
            Length::Chunked
        } else if let Some(length) = known.and_then(|value| value.parse().ok()) {
            Length::Known(length)
        } else {
            Length::UntilClosed
        }
    }

    fn read_head(stream: &mut TcpStream) -> io::Result<Self> {
        let mut message = Self {
            bytes: vec![],
            head: 0,
        };
        while !message.bytes.ends_with(b"\r\n\r\n") {
            message.read_up_to(message.bytes.len() + 1, stream)?;
        }
        message.head = message.bytes.len();
        Ok(message)
    }

    fn read_up_to(&mut self, end: usize, stream: &mut TcpStream) -> io::Result<()> {
        let start = self.bytes.len();
        self.bytes.resize(end.max(start), 0);
        match self.bytes.get_mut(start..) {
            Some(rest) => stream.read_exact(rest),
            None => Ok(()),
        }
    }
}
