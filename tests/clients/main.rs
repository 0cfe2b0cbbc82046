//! Real clients do what people do with them: put, get, go on where a transfer broke, rename and delete, with empty files
//! and names that are not ASCII, in both data modes and over both families.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

mod programs;

use std::fs;

use programs::{PROGRAMS, Program, Step};
use tests::real::Mode;
use tests::{Scratch, Server, Setup, require};

/// More than one piece of any client, and no multiple of one.
const SIZE: usize = 300_001;
/// How much of a file is there when a transfer goes on.
const HALF: usize = 123_457;
const FOREIGN: &str = "gr\u{fc}\u{df}e \u{4f60}\u{597d}.txt";

fn content(seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    std::iter::repeat_with(next).take(SIZE).collect()
}

/// What a file is when a transfer went on behind a part of it: not what it is when all was sent again.
fn continued(seed: u8) -> Vec<u8> {
    [&[b'x'; HALF], &content(seed)[HALF..]].concat()
}

/// All that one client does in one session, as far as it can.
fn work(program: &Program, mode: Mode, server: &Server) {
    let scratch = Scratch::new();
    let local = |name: &str| scratch.join(name);
    for (seed, name) in (0..).zip(["up", "on", FOREIGN]) {
        fs::write(local(name), content(seed)).unwrap();
    }
    fs::write(local("empty"), "").unwrap();
    server.put("down", &content(10));
    server.put("on", &[b'x'; HALF]);
    server.put("old", b"old");
    server.put("gone", b"gone");
    server.put("nothing", b"");
    fs::write(local("on-down"), [b'x'; HALF]).unwrap();
    let (mut steps, mut checks) = (Vec::new(), Vec::<Box<dyn Fn()>>::new());
    let mut plan = |step: Step, check: Box<dyn Fn()>| {
        if program.cannot(&step).is_none() {
            steps.push(step);
            checks.push(check);
        }
    };
    let uploaded = |name: &'static str, expected: Vec<u8>| {
        let path = server.home.join(name);
        Box::new(move || assert!(fs::read(&path).unwrap() == expected, "{name} on the server"))
            as Box<dyn Fn()>
    };
    let downloaded = |name: &'static str, expected: Vec<u8>| {
        let path = local(name);
        Box::new(move || assert!(fs::read(&path).unwrap() == expected, "{name} here"))
            as Box<dyn Fn()>
    };
    plan(Step::Put(local("up"), "new"), uploaded("new", content(0)));
    plan(
        Step::Put(local(FOREIGN), FOREIGN),
        uploaded(FOREIGN, content(2)),
    );
    plan(
        Step::Put(local("empty"), "void"),
        uploaded("void", Vec::new()),
    );
    plan(Step::PutOn(local("on"), "on"), uploaded("on", continued(1)));
    plan(
        Step::Get("down", local("fetched")),
        downloaded("fetched", content(10)),
    );
    plan(
        Step::Get("nothing", local("fetched nothing")),
        downloaded("fetched nothing", Vec::new()),
    );
    plan(
        Step::GetOn("down", local("on-down")),
        downloaded("on-down", continued(10)),
    );
    let (old, renamed) = (server.home.join("old"), server.home.join("renamed \u{e9}"));
    plan(
        Step::Rename("old", "renamed \u{e9}"),
        Box::new(move || {
            assert!(
                !old.exists() && fs::read(&renamed).unwrap() == b"old",
                "renamed"
            )
        }),
    );
    let gone = server.home.join("gone");
    plan(
        Step::Delete("gone"),
        Box::new(move || assert!(!gone.exists(), "deleted")),
    );
    program.run(&server.login, mode, &scratch, &steps);
    checks.iter().for_each(|check| check());
    // A name that is not ASCII comes back too.
    if program.cannot(&Step::Get(FOREIGN, local("x"))).is_none() {
        server.put(FOREIGN, &content(3));
        let back = local("back");
        program.run(
            &server.login,
            mode,
            &scratch,
            &[Step::Get(FOREIGN, back.clone())],
        );
        assert!(fs::read(back).unwrap() == content(3), "{FOREIGN} here");
    }
}

fn works(name: &str) {
    let program = PROGRAMS
        .iter()
        .find(|program| program.name == name)
        .unwrap();
    if !program.is_there() {
        return;
    }
    for ipv6 in [false, true] {
        if ipv6 && (!program.ipv6 || !require::ipv6()) {
            continue;
        }
        for mode in [Mode::Passive, Mode::Active] {
            if mode == Mode::Active && !program.active {
                continue;
            }
            let setup = Setup::new().setting("Durability=rename");
            let server = if ipv6 { setup.ipv6() } else { setup }.start();
            work(program, mode, &server);
        }
    }
}

macro_rules! clients {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            works($name);
        })*

        #[test]
        fn every_client_has_its_test() {
            let tested = [$($name),*];
            assert!(PROGRAMS.iter().all(|program| tested.contains(&program.name)));
        }
    };
}

clients! {
    curl_works: "curl",
    wget_works: "wget",
    lftp_works: "lftp",
    ncftp_works: "ncftp",
    tnftp_works: "tnftp",
    inetutils_ftp_works: "inetutils-ftp",
    ftplib_works: "ftplib",
    rclone_works: "rclone",
    basic_ftp_works: "basic-ftp",
    net_ftp_works: "Net::FTP",
}
