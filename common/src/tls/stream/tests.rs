//! Streams with a client of rustls at the other end.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};

use super::*;
use crate::tls::testing::{Pki, client, exchange, sockets, until_done};

fn accept(config: &Arc<ServerConfig>, socket: &OwnedFd) -> Result<Stream, Halt> {
    let mut stream = Stream::for_data(Arc::clone(config).into()).unwrap();
    until_done(socket, || stream.handshake(socket.as_fd()))?;
    Ok(stream)
}

/// Receives to the end.
fn receive_all(stream: &mut Stream, socket: &OwnedFd) -> Result<Vec<u8>, Halt> {
    let (mut all, mut buffer) = (Vec::new(), vec![0; 40_000]);
    loop {
        match until_done(socket, || stream.receive(socket.as_fd(), &mut buffer))? {
            0 => return Ok(all),
            count => all.extend_from_slice(&buffer[..count]),
        }
    }
}

fn send_all(stream: &mut Stream, socket: &OwnedFd, mut octets: &[u8]) {
    let fd = socket.as_fd();
    while !octets.is_empty() {
        let sent = until_done(socket, || stream.send(fd, octets, Follows::More));
        octets = &octets[sent.unwrap()..];
    }
    until_done(socket, || stream.close(fd)).unwrap();
}

#[test]
fn octets_go_both_ways_in_both_versions() {
    let pki = Pki::new();
    let octets: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    for version in [&TLS12, &TLS13] {
        let (there, here) = sockets();
        let sent = octets.clone();
        let other = client(&pki.client(version, &[b"ftp"]), there, move |stream| {
            stream.write_all(&sent).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
            let mut back = Vec::new();
            stream.read_to_end(&mut back).map(|_| back)
        });
        let mut stream = accept(&pki.server(), &here).unwrap();
        assert!(receive_all(&mut stream, &here).unwrap() == octets);
        send_all(&mut stream, &here, &octets);
        // rustls takes an end without close_notify for an error.
        assert!(other.join().unwrap().unwrap() == octets);
    }
}

#[test]
fn an_end_without_close_notify_is_told_from_one_with_it() {
    let pki = Pki::new();
    for polite in [false, true] {
        let (there, here) = sockets();
        let other = client(&pki.client(&TLS13, &[]), there, move |stream| {
            stream.write_all(b"half of it").unwrap();
            if polite {
                stream.conn.send_close_notify();
            }
            stream.flush().unwrap();
        });
        let mut stream = accept(&pki.server(), &here).unwrap();
        other.join().unwrap();
        let end = receive_all(&mut stream, &here);
        match polite {
            true => assert_eq!(end, Ok(b"half of it".to_vec())),
            false => assert_eq!(end, Err(Halt::Failed(Fault::Truncated))),
        }
    }
}

#[test]
fn what_fits_into_no_buffer_waits_inside() {
    let pki = Pki::new();
    let (there, here) = sockets();
    let other = client(&pki.client(&TLS13, &[]), there, |stream| {
        exchange(stream, b"0123456789")
    });
    let mut stream = accept(&pki.server(), &here).unwrap();
    let (mut all, mut three) = (Vec::new(), [0; 3]);
    while all.len() < 10 {
        let count = until_done(&here, || stream.receive(here.as_fd(), &mut three)).unwrap();
        all.extend_from_slice(&three[..count]);
    }
    send_all(&mut stream, &here, &all);
    assert_eq!(other.join().unwrap(), b"0123456789");
}

#[test]
fn a_session_is_resumed_with_its_own_configuration_only() {
    let pki = Pki::new();
    for version in [&TLS12, &TLS13] {
        let (own, other) = (pki.server(), pki.server());
        let config = pki.client(version, &[]);
        let resumed = |server| {
            let (there, here) = sockets();
            let visitor = client(&config, there, |stream| exchange(stream, b"x"));
            let mut stream = accept(server, &here).unwrap();
            let mut buffer = [0; 1];
            until_done(&here, || stream.receive(here.as_fd(), &mut buffer)).unwrap();
            send_all(&mut stream, &here, &buffer);
            visitor.join().unwrap();
            stream.resumed()
        };
        assert!(!resumed(&own));
        for _ in 0..20 {
            assert!(resumed(&own));
        }
        assert!(!resumed(&other));
    }
}

#[test]
fn other_protocols_are_told_that_they_are_wrong_here() {
    let pki = Pki::new();
    let (there, here) = sockets();
    let config = pki.client(&TLS13, &[b"http/1.1"]);
    let other = client(&config, there, |stream| {
        stream.conn.complete_io(&mut stream.sock).unwrap_err()
    });
    let refused = accept(&pki.server(), &here);
    assert_eq!(refused.err(), Some(Halt::Failed(Fault::OtherProtocol)));
    drop(here);
    let told = other.join().unwrap();
    assert!(told.to_string().contains("NoApplicationProtocol"), "{told}");
}

/// What becomes of a client that sends these octets and closes.
fn after(octets: &[u8]) -> Option<Halt> {
    let (mut there, here) = sockets();
    let octets = octets.to_vec();
    #[expect(clippy::disallowed_methods, reason = "a test that forks nothing")]
    let other = std::thread::spawn(move || match there.write_all(&octets) {
        Err(error) => assert_eq!(error.kind(), ErrorKind::BrokenPipe),
        Ok(()) => there.shutdown(std::net::Shutdown::Write).unwrap(),
    });
    let end = accept(&Pki::new().server(), &here).err();
    drop(here);
    other.join().unwrap();
    end
}

#[test]
fn garbage_and_endless_hellos_end_the_handshake() {
    assert_eq!(after(b""), Some(Halt::Failed(Fault::Truncated)));
    assert_eq!(after(b"USER x\r\n"), Some(Halt::Failed(Fault::NotTls)));
    // What is out of place, with more behind it.
    assert_eq!(
        after(&[22, 3, 1, 0, 8, 20, 0, 0, 0, 20, 0, 0, 0]),
        Some(Halt::Failed(Fault::NotTls))
    );
    // A ClientHello of 65,000 octets, in records of 1,000.
    let mut hello = vec![1, 0, 0xfd, 0xe8];
    hello.resize(65_004, 0);
    let records: Vec<u8> = hello
        .chunks(1000)
        .flat_map(|piece| [&[22, 3, 1, 3, 232][..], piece].concat())
        .collect();
    assert_eq!(after(&records), Some(Halt::Failed(Fault::TooLong)));
}
