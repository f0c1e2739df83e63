//! One client: its requests one after the other, each with the fault of its turn.

use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use super::End;
use super::Fault;
use super::Server;
use super::Shared;
use super::message::LastByte;
use super::message::Message;

/// Slow links move this often.
const TICK: Duration = Duration::from_millis(5);

/// What happens to the connection behind a request.
#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Close,
}

/// Serves a client until it hangs up, a fault ends the connection, or the proxy is closed.
pub(super) fn serve(mut client: TcpStream, shared: &Arc<Shared>) {
    let Some(id) = shared.register(&client) else {
        return;
    };
    drop(client.set_nodelay(true));
    // An error is a connection that broke, on either side: this ends the other side too.
    while let Ok(Next::GoOn) = serve_one(&mut client, shared) {}
    shared.forget(id);
}

fn serve_one(client: &mut TcpStream, shared: &Shared) -> io::Result<Next> {
    // The fault belongs to the request, not to an idle connection: it is drawn when something comes.
    if client.peek(&mut [0])? == 0 {
        return Ok(Next::Close);
    }
    let fault = shared.next_fault();
    let last = match fault {
        Fault::HangUp => return Ok(Next::Close),
        Fault::CutRequest { end: End::Rst, .. } | Fault::CutReply { end: End::Rst, .. } => {
            LastByte::Left
        }
        _ => LastByte::Taken,
    };
    let request = Message::read_request(client, last)?;
    let number = shared.note_request(&request);
    let mut answer = |bytes: &[u8]| {
        shared.note_reply(number, bytes.len());
        client.write_all(bytes)
    };
    match fault {
        Fault::None | Fault::HangUp => {
            let reply = shared.ask(request.bytes())?;
            answer(reply.bytes())?;
            return Ok(after(&reply));
        }
        Fault::CutRequest { after_bytes, .. } => {
            let bytes = request.bytes();
            shared.begin(bytes.get(..after_bytes).unwrap_or(bytes))?;
        }
        Fault::CutReply { after_bytes, .. } => {
            let reply = shared.ask(request.bytes())?;
            let bytes = reply.bytes();
            answer(bytes.get(..after_bytes).unwrap_or(bytes))?;
        }
        Fault::CutLong { after_bytes } => {
            if let Some(beginning) = request.bytes().get(..after_bytes) {
                shared.begin(beginning)?;
                return Ok(Next::Close);
            }
            let reply = shared.ask(request.bytes())?;
            let bytes = reply.bytes();
            if let Some(beginning) = bytes.get(..after_bytes) {
                answer(beginning)?;
                return Ok(Next::Close);
            }
            answer(bytes)?;
            return Ok(after(&reply));
        }
        Fault::Silence => {
            // Until the client gives up, or the proxy ends.
            while client.read(&mut [0; 64])? > 0 {}
        }
        Fault::Delay(time) => {
            if !shared.pause(time) {
                return Ok(Next::Close);
            }
            let reply = shared.ask(request.bytes())?;
            answer(reply.bytes())?;
            return Ok(after(&reply));
        }
        Fault::Answer { reply, server } => {
            if server == Server::Asked {
                shared.ask(request.bytes())?;
            }
            answer(&reply)?;
        }
        Fault::CutBody { after_bytes } => {
            let reply = shared.ask(request.bytes())?;
            answer(&reply.with_body_cut(after_bytes))?;
        }
        Fault::Slow { bytes_per_second } => {
            return slowly(client, shared, (&request, number), bytes_per_second);
        }
        Fault::Twice => {
            shared.ask(request.bytes())?;
            let reply = shared.ask(request.bytes())?;
            answer(reply.bytes())?;
            return Ok(after(&reply));
        }
        Fault::Keep => shared.state().kept.push(request),
        Fault::Token(token) => {
            let reply = shared.ask(&request.with_token(&token))?;
            answer(reply.bytes())?;
            return Ok(after(&reply));
        }
    }
    Ok(Next::Close)
}

fn after(reply: &Message) -> Next {
    if reply.closes() {
        Next::Close
    } else {
        Next::GoOn
    }
}

/// The request has arrived at the proxy at once; it reaches the server when a slow link had moved it.
fn slowly(
    client: &mut TcpStream,
    shared: &Shared,
    (request, number): (&Message, usize),
    bytes_per_second: u32,
) -> io::Result<Next> {
    let speed = f64::from(bytes_per_second);
    for _ in request.bytes().chunks(per_tick(speed)) {
        if !shared.pause(TICK) || has_hung_up(client)? {
            return Ok(Next::Close);
        }
    }
    let reply = shared.ask(request.bytes())?;
    let mut sent = 0;
    for piece in reply.bytes().chunks(per_tick(speed)) {
        if !shared.pause(TICK) {
            return Ok(Next::Close);
        }
        sent += piece.len();
        shared.note_reply(number, sent);
        client.write_all(piece)?;
    }
    Ok(after(&reply))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a speed of a link is positive and far below 2^53"
)]
fn per_tick(speed: f64) -> usize {
    ((speed * TICK.as_secs_f64()) as usize).max(1)
}

fn has_hung_up(client: &TcpStream) -> io::Result<bool> {
    client.set_nonblocking(true)?;
    let looked = client.peek(&mut [0]);
    client.set_nonblocking(false)?;
    Ok(!matches!(looked, Err(error) if error.kind() == io::ErrorKind::WouldBlock))
}
