//! Row 78 of the attacks: a webhook goes where the configuration says, tells nobody its secrets, and no web server harms the server.

use std::fs;

use sha2::{Digest, Sha256};
use tests::processes::Process;
use tests::scratch::mode;
use tests::{Data, Server, Setup, wait};

use crate::events::events;
use crate::web::Web;

const KEY: &str = "canary-of-the-key";
const TOKEN: &str = "/canary-of-the-path";
const ANSWER: &str = "canary-of-the-answer";

/// A server whose uploads go to a web server, signed, and into a file.
fn start() -> (Web, Server) {
    let setup = Setup::new();
    let web = Web::new(setup.scratch());
    let key = setup.scratch().join("key");
    fs::write(&key, format!("{KEY}\n")).unwrap();
    mode(&key, 0o600);
    let url = web.url(TOKEN);
    let server = setup
        .toml(&format!(
            "[[hook]]\non = \"upload\"\nwebhook = \"{url}\"\nsecret-file = \"{{scratch}}/key\"\n\
             ca-file = \"{{scratch}}/ca\"\n\
             [[hook]]\non = \"upload\"\nfile = \"{{scratch}}/events\"\n"
        ))
        .start();
    (web, server)
}

fn upload(server: &Server, name: &str) {
    server.logged_in().upload(Data::Epsv, name, b"content");
}

/// HMAC (RFC 2104) of SHA-256, in hexadecimal digits.
fn hmac(key: &[u8], text: &[u8]) -> String {
    let pad = |with: u8| -> Vec<u8> {
        let octet = |place: usize| key.get(place).copied().unwrap_or(0) ^ with;
        (0..64).map(octet).collect()
    };
    let inner = Sha256::digest([&pad(0x36)[..], text].concat());
    let outer = Sha256::digest([&pad(0x5c)[..], &inner[..]].concat());
    outer.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// No log tells what is secret, nor what a server has answered.
#[track_caller]
fn assert_discreet(server: &Server) {
    let text = server.log.text();
    assert!(!text.contains("canary"), "{text}");
}

/// A server that fails is asked again, with the same event under the same id and signature.
#[test]
fn row_78_an_event_is_sent_again_under_its_id_until_it_is_taken() {
    let (web, server) = start();
    upload(&server, "file");
    let first = web.request();
    let (id, body) = (
        first.field("x-ftpd-event-id").to_owned(),
        first.body.clone(),
    );
    first.answer(&format!("500 {ANSWER}"));
    let second = web.request();
    let head = format!("post {TOKEN} http/1.1\r\n");
    assert!(second.head.starts_with(&head), "{}", second.head);
    assert_eq!(second.field("x-ftpd-event-id"), id);
    assert_eq!(second.field("x-ftpd-event"), "upload");
    let signature = format!("sha256={}", hmac(KEY.as_bytes(), &second.body));
    assert_eq!(second.field("x-ftpd-signature-256"), signature);
    assert_eq!(second.body, body);
    let told = second.event();
    assert_eq!((&told["id"], &told["path"]), (&id.into(), &"/file".into()));
    second.answer("200 OK");
    // It was taken, so the next one is another.
    upload(&server, "other");
    let next = web.request();
    assert_eq!(next.event()["path"], "/other");
    next.answer("204 No Content");
    server.log.line_with(&["webhook localhost:", "answers 500"]);
    assert_discreet(&server);
}

/// A redirect could lead anywhere, such as into the server's own network.
#[test]
fn row_78_no_redirect_is_followed() {
    let (web, server) = start();
    let scratch = tests::Scratch::new();
    let elsewhere = Web::new(scratch.path());
    for status in ["301", "302", "303", "307", "308"] {
        upload(&server, status);
        let to = elsewhere.url("/canary-of-elsewhere");
        web.request()
            .answer(&format!("{status} Away\r\nLocation: {to}"));
    }
    // Each was given up, or this one would still wait.
    upload(&server, "last");
    let last = web.request();
    assert_eq!(last.event()["path"], "/last");
    last.answer("200 OK");
    assert!(!elsewhere.has_somebody());
    server.log.line_with(&["redirects are not followed"]);
    assert_discreet(&server);
}

/// Answers without end, in the head or behind it.
#[test]
fn row_78_an_answer_without_end_fills_no_memory() {
    let (web, server) = start();
    upload(&server, "first");
    web.request().answer("200 OK");
    // Hookd and the process of the webhook.
    let mut processes = server.servants.clone();
    processes.extend(server.servants.iter().flat_map(Process::children));
    let memory = || processes.iter().map(Process::memory).sum::<u64>();
    upload(&server, "head");
    let before = memory();
    let mut endless = web.request();
    let mut pieces = 0;
    let _ = endless.write(b"HTTP/1.1 500 Later\r\n");
    while pieces < 1000
        && endless
            .write(format!("X: {}\r\n", ANSWER.repeat(1000)).as_bytes())
            .is_ok()
    {
        pieces += 1;
    }
    assert!(pieces < 1000, "20 MB of a head were read");
    drop(endless);
    let mut endless = web.request();
    let _ = endless.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
    for _ in 0..100 {
        if endless.write(&[b'x'; 100_000]).is_err() {
            break;
        }
    }
    upload(&server, "last");
    let last = web.request();
    assert_eq!(last.event()["path"], "/last");
    last.answer("200 OK");
    let after = memory();
    assert!(after < before + 8192, "{before} KiB, then {after} KiB");
    assert_discreet(&server);
}

/// A server that says nothing keeps its own events waiting, and nobody else.
#[test]
fn row_78_a_server_that_does_not_answer_holds_nobody_up() {
    let (web, mut server) = start();
    upload(&server, "first");
    let silent = web.request();
    for number in 0..20 {
        upload(&server, &format!("file{number}"));
    }
    let path = server.scratch.join("events");
    wait::until("all events in the file", || events(&path).len() == 21);
    server.process().signal(nix::sys::signal::Signal::SIGTERM);
    server.wait();
    server.log.line_with(&["21 events still wait at the end"]);
    drop(silent);
    assert_discreet(&server);
}
