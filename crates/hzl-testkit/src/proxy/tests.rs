//! The proxy does what it says, in front of a server that remembers what it was sent.

use super::*;
use crate::stub::{Stub, exchange};
use std::io::Read as _;

const HELLO: &str = "hello";

fn answering() -> Stub {
    Stub::http(200, &[], "it works")
}

fn post(proxy: &Proxy) -> io::Result<(u16, String)> {
    exchange(&proxy.url(), "POST", "/x", Some("mine"), HELLO)
}

/// What a client gets, byte for byte, and how it ended.
fn raw(proxy: &Proxy) -> (Vec<u8>, io::Result<usize>) {
    let mut client = TcpStream::connect(proxy.port.address()).expect("the proxy listens");
    write!(
        client,
        "POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\n{HELLO}"
    )
    .expect("it reads");
    let mut reply = vec![];
    let end = client.read_to_end(&mut reply);
    (reply, end)
}

#[test]
fn without_a_fault_nothing_is_changed() {
    let stub = answering();
    let proxy = Proxy::start(&stub.url());
    assert_eq!(post(&proxy).expect("a reply"), (200, "it works".to_owned()));
    let sent = stub.requests();
    assert!(sent[0].contains("Bearer mine") && sent[0].ends_with(HELLO));
    let [one] = proxy.exchanges()[..] else {
        panic!("one request")
    };
    assert_eq!(one.request_bytes, sent[0].len());
    assert!(one.reply_bytes > "it works".len());
}

#[test]
fn requests_and_replies_are_cut_at_the_byte() {
    let stub = answering();
    let proxy = Proxy::start(&stub.url());
    let whole = raw(&proxy).0;
    for end in [End::Fin, End::Rst] {
        for after_bytes in [0, 1, 7, whole.len() - 1] {
            proxy.plan([Fault::CutReply { after_bytes, end }]);
            let (reply, ended) = raw(&proxy);
            assert_eq!(reply, whole[..after_bytes], "{end:?}");
            assert_eq!(ended.is_err(), end == End::Rst, "{ended:?}");
        }
    }
    let before = stub.requests().len();
    let request = stub.requests()[0].clone();
    for end in [End::Fin, End::Rst] {
        for after_bytes in [1, 20, request.len() - 1] {
            proxy.plan([Fault::CutRequest { after_bytes, end }]);
            let heard = stub.requests().len();
            assert_eq!(raw(&proxy).0, b"");
            // The server learns of the end at its own pace.
            crate::wait_until(Duration::from_secs(10), "the server heard of it", || {
                stub.requests().len() > heard
            });
            let seen = stub.requests().pop().expect("the beginning of a request");
            assert_eq!(seen, request[..after_bytes]);
        }
    }
    assert_eq!(stub.requests().len(), before + 6);
}

#[test]
fn only_what_is_long_is_cut() {
    let stub = answering();
    let proxy = Proxy::start(&stub.url());
    let cut = |after_bytes| Fault::CutLong { after_bytes };
    proxy.plan([cut(10_000), cut(60), cut(20)]);
    let whole = raw(&proxy).0;
    assert!(whole.ends_with(b"it works"));
    assert_eq!(raw(&proxy).0, whole[..60], "the request is shorter");
    assert_eq!(raw(&proxy).0, b"");
}

#[test]
fn statuses_redirects_and_garbage_come_with_and_without_the_work() {
    let stub = answering();
    let proxy = Proxy::start(&stub.url());
    proxy.plan([
        Fault::status(503, Server::NotAsked),
        Fault::status(500, Server::Asked),
        Fault::redirect(307, "http://elsewhere.example/"),
        Fault::body("{}", Server::Asked),
        Fault::CutBody { after_bytes: 2 },
    ]);
    let replies: Vec<_> = (0..5).map(|_| post(&proxy).expect("a reply")).collect();
    let told: Vec<_> = replies.iter().map(|(s, body)| (*s, &body[..])).collect();
    let expected = [
        (503, "no luck"),
        (500, "no luck"),
        (307, ""),
        (200, "{}"),
        (200, "it"),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        stub.requests().len(),
        3,
        "asked before 500, for the body twice"
    );
    let reply = b"\x16\x03\x01 nonsense".to_vec();
    let server = Server::NotAsked;
    proxy.plan([Fault::Answer { reply, server }]);
    post(&proxy).expect_err("no HTTP");
}

#[test]
fn a_request_goes_twice_or_later_or_with_another_token() {
    let stub = answering();
    let proxy = Proxy::start(&stub.url());
    proxy.plan([Fault::Twice, Fault::Keep, Fault::Token("other".to_owned())]);
    post(&proxy).expect("the second reply");
    assert_eq!(stub.requests().len(), 2);
    post(&proxy).expect_err("hung up on");
    assert_eq!(stub.requests().len(), 2);
    post(&proxy).expect("a reply");
    let sent = stub.requests().pop().expect("a request");
    assert!(
        sent.contains("Bearer other") && !sent.contains("mine"),
        "{sent}"
    );
    assert_eq!((proxy.deliver(), proxy.deliver()), (1, 0));
    assert_eq!(stub.requests().len(), 4);
}

#[test]
fn delay_slowness_and_silence_take_their_time() {
    let stub = answering();
    let proxy = Proxy::start(&stub.url());
    let time = Duration::from_millis(60);
    // Request and reply together are more than 150 bytes.
    for fault in [
        Fault::Delay(time),
        Fault::Slow {
            bytes_per_second: 2_500,
        },
    ] {
        proxy.plan([fault]);
        let started = Instant::now();
        assert_eq!(post(&proxy).expect("a reply").1, "it works");
        assert!(started.elapsed() >= time, "{:?}", started.elapsed());
    }
    proxy.usually(Fault::Silence);
    let mut client = TcpStream::connect(proxy.port.address()).expect("the proxy listens");
    client
        .set_read_timeout(Some(time))
        .expect("a time-out can be set");
    write!(client, "POST /x HTTP/1.1\r\n\r\n").expect("it reads");
    let silence = client.read(&mut [0]).expect_err("nothing comes");
    assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(proxy.calm(), 0);
}

#[test]
fn a_closed_proxy_refuses_and_a_dropped_one_leaves_no_thread() {
    let stub = answering();
    let mut proxy = Proxy::start(&stub.url());
    let refused = |proxy: &Proxy| post(proxy).expect_err("nobody listens").kind();
    proxy.close();
    assert_eq!(refused(&proxy), io::ErrorKind::ConnectionRefused);
    proxy.open();
    post(&proxy).expect("it is back");
    proxy.plan([Fault::HangUp]);
    assert_eq!(refused(&proxy), io::ErrorKind::ConnectionReset);
    proxy.plan([Fault::Silence, Fault::Delay(Duration::from_secs(3_600))]);
    let mut waiting: Vec<_> = (0..2)
        .map(|_| {
            let mut client = TcpStream::connect(proxy.port.address()).expect("it listens");
            write!(client, "POST /x HTTP/1.1\r\n\r\n").expect("it reads");
            client
        })
        .collect();
    // Both requests have arrived and are stuck.
    crate::wait_until(Duration::from_secs(10), "both requests were read", || {
        proxy.exchanges().len() == 3
    });
    let shared = Arc::clone(&proxy.shared);
    drop(proxy);
    assert_eq!(Arc::strong_count(&shared), 1, "every thread has let go");
    for client in &mut waiting {
        assert_eq!(client.read(&mut [0]).expect("an orderly end"), 0);
    }
}
