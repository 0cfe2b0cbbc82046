//! `kill -9` of every process, and disks that fail: what was acknowledged is there, whole, and nothing else has the name.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::processes::Process;
use tests::strace::Strace;
use tests::{Client, Data, Reply, Server, Setup, tape};

/// Octets that tell which upload they are of, to the last one.
pub(crate) fn content(number: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(number);
    let size = random.usize(1..200_000);
    let mut octets = number.to_le_bytes().to_vec();
    octets.extend(std::iter::repeat_with(|| random.u8(..)).take(size));
    octets
}

/// The upload that a file is, if it is one as a whole.
pub(crate) fn number(octets: &[u8]) -> Option<u64> {
    let number = u64::from_le_bytes(octets.get(..8)?.try_into().ok()?);
    (content(number) == octets).then_some(number)
}

/// What is uploaded until something dies.
#[derive(Clone, Copy)]
enum Uploads {
    Files,
    /// Archives of some files each, over those of the archive before.
    Archives,
}

/// The files of one archive.
const ENTRIES: u64 = 8;

/// As [`upload_on`], with archives: what is acknowledged is all that is in one.
fn unpack_on(mut client: Client, first: u64, acknowledged: impl Fn(String, u64)) {
    let all = format!("226 Transfer complete, {ENTRIES} entries.");
    client.expect("STRU T", 200);
    for archive in 0.. {
        let numbers = || (0..ENTRIES).map(|entry| first + archive * ENTRIES + entry);
        let name = |number: u64| format!("{first}-{}", number % ENTRIES);
        let parts: Vec<_> = numbers()
            .map(|number| tape::file(name(number).as_bytes(), &content(number)))
            .collect();
        let Some(reply) = try_upload(&mut client, "archive", &tape::archive(&parts)) else {
            return;
        };
        assert_eq!(reply.to_string().trim_end(), all);
        numbers().for_each(|number| acknowledged(name(number), number));
    }
}

/// Uploads under a few names until the server is gone. Tells each name and number once it is acknowledged.
pub(crate) fn upload_on(mut client: Client, first: u64, acknowledged: impl Fn(String, u64)) {
    for number in first.. {
        let name = format!("{first}-{}", number % 3);
        if try_upload(&mut client, &name, &content(number)).is_none() {
            return;
        }
        acknowledged(name, number);
    }
}

/// One upload; `None` if it did not come to 226.
fn try_upload(client: &mut Client, name: &str, octets: &[u8]) -> Option<Reply> {
    use std::io::Write;
    let mut ask = |line: &str| {
        client
            .try_send_octets(format!("{line}\r\n").as_bytes())
            .ok()?;
        client.try_reply()
    };
    let reply = ask("EPSV").filter(|reply| reply.code == 229)?;
    let text = reply.to_string();
    let port = text
        .split("|||")
        .nth(1)?
        .split('|')
        .next()?
        .parse::<u16>()
        .ok()?;
    let mut data = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    ask(&format!("STOR {name}")).filter(|reply| reply.code == 150)?;
    data.write_all(octets).ok()?;
    drop(data);
    client.try_reply().filter(|reply| reply.code == 226)
}

/// Checks every file in a home against what was acknowledged last under its name.
pub(crate) fn check(server_says: &BTreeMap<String, u64>, home: &std::path::Path, context: &str) {
    for (name, &last) in server_says {
        let octets = std::fs::read(home.join(name));
        let octets = octets.unwrap_or_else(|error| panic!("{context}: {name} is lost: {error}"));
        let found = number(&octets);
        assert!(
            found >= Some(last),
            "{context}: {name} is {found:?}, not {last}"
        );
    }
    for entry in std::fs::read_dir(home).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with('.') && name != "lost+found" {
            let octets = std::fs::read(home.join(&name)).unwrap();
            assert!(number(&octets).is_some(), "{context}: {name} is torn");
        }
    }
}

pub(crate) fn seed() -> u64 {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    // Shown with the failure of a test, and otherwise with --nocapture.
    let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("SEED={seed}\n"));
    seed
}

fn drain(acknowledged: &Receiver<(String, u64)>, last: &mut BTreeMap<String, u64>) {
    last.extend(acknowledged.try_iter());
}

/// One server, two clients that upload, and the death of one process at some moment.
fn round(uploads: Uploads, random: &mut fastrand::Rng, context: &str) {
    let server = Setup::new().setting("Durability=rename").start();
    let (tell, acknowledged) = channel();
    let clients: Vec<_> = [1_000_000, 2_000_000]
        .into_iter()
        .map(|first| {
            let client = server.logged_in();
            let tell = tell.clone();
            std::thread::spawn(move || {
                let tell = |name, number| tell.send((name, number)).unwrap();
                match uploads {
                    Uploads::Files => upload_on(client, first, tell),
                    Uploads::Archives => unpack_on(client, first, tell),
                }
            })
        })
        .collect();
    let keepers = server.keepers();
    let keeper = keepers[random.usize(..keepers.len())].clone();
    let (victim, who) = match random.u8(..3) {
        0 => (server.process(), "listener"),
        1 => (keeper, "keeper"),
        _ => (keeper.only_child(), "session"),
    };
    // Between one upload's beginning and some later one's end.
    std::thread::sleep(Duration::from_micros(random.u64(..60_000)));
    victim.signal(Signal::SIGKILL);
    victim.wait_for_end();
    // The rest goes on until it is killed likewise.
    std::thread::sleep(Duration::from_micros(random.u64(..10_000)));
    if who != "listener" {
        let mut after = server.logged_in();
        after.upload(Data::Epsv, "after", &content(7));
        assert_eq!(number(&server.content("after")), Some(7), "{context}");
    }
    for process in keepers.iter().filter(|process| process.runs()) {
        let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
    }
    let mut last = BTreeMap::new();
    for client in clients {
        client.join().unwrap();
    }
    keepers.iter().for_each(Process::wait_for_end);
    drain(&acknowledged, &mut last);
    check(
        &last,
        &server.home,
        &format!("{context}, death of the {who}"),
    );
}

fn deaths(uploads: Uploads, count: u32) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    for index in 0..count {
        round(uploads, &mut random, &format!("SEED={seed}, round {index}"));
    }
}

#[test]
fn nothing_acknowledged_is_lost_by_20_deaths() {
    deaths(Uploads::Files, 20);
}

#[test]
#[ignore = "takes a minute: `make soak` runs it"]
fn nothing_acknowledged_is_lost_by_200_deaths() {
    deaths(Uploads::Files, 200);
}

#[test]
fn no_entry_of_an_acknowledged_archive_is_lost_by_20_deaths() {
    deaths(Uploads::Archives, 20);
}

#[test]
#[ignore = "takes a minute: `make soak` runs it"]
fn no_entry_of_an_acknowledged_archive_is_lost_by_200_deaths() {
    deaths(Uploads::Archives, 200);
}

/// What makes a call fail. In its place the kernel sees one that the filter lets pass.
const FAILS: &str = "error=EIO:syscall=getpid";

#[test]
fn an_error_of_a_sync_is_never_a_success() {
    if !Strace::is_possible() {
        return;
    }
    let server = Server::start();
    server.put("file", b"the old text");
    server.put("log", b"one\n");
    let mut client = server.logged_in();
    let keeper = server.only_keeper();
    let upload = |client: &mut Client, line: &str| {
        let data = client.data(Data::Epsv);
        client.begin(line);
        data.open().write_all_and_close(b"two\n");
        client.reply().code
    };
    {
        let _injection = Strace::inject(&keeper, "fdatasync", FAILS);
        assert_eq!(upload(&mut client, "STOR file"), 451);
    }
    assert_eq!(server.content("file"), b"the old text");
    // Not even kept to be continued: what the disk did not take once it may say to have at the second try.
    assert_eq!(server.names(), ["file", "log"]);
    {
        let _injection = Strace::inject(&keeper, "fdatasync", FAILS);
        assert_eq!(upload(&mut client, "APPE log"), 451);
    }
    assert_eq!(server.content("log"), b"one\n");
    for line in ["MKD dir", "DELE log", "RNFR file"] {
        let _injection = Strace::inject(&keeper, "fsync", FAILS);
        if line.starts_with("RNFR") {
            client.expect(line, 350);
            client.expect("RNTO other", 451);
        } else {
            client.expect(line, 451);
        }
    }
    for line in [
        "SITE CHMOD 600 other",
        "MFMT 20200101000000 other",
        "SITE CHMOD 700 dir",
    ] {
        let _injection = Strace::inject(&keeper, "fsync", FAILS);
        client.expect(line, 451);
    }
    client.expect("SITE CHMOD 000 other", 200);
    {
        // Nobody can open it, so all is synced.
        let _injection = Strace::inject(&keeper, "syncfs", FAILS);
        client.expect("SITE CHMOD 640 other", 451);
    }
    {
        let _injection = Strace::inject(&keeper, "fsync", FAILS);
        assert_eq!(upload(&mut client, "STOR file"), 451);
    }
    assert_eq!(upload(&mut client, "STOR file"), 226);
    assert_eq!(server.content("file"), b"two\n");
}

/// The keeper dies at each call that an upload takes.
#[test]
fn a_keeper_may_die_at_every_step_of_an_upload() {
    if !Strace::is_possible() {
        return;
    }
    let calls = [
        "recvmsg",
        "newfstatat",
        "openat2",
        "fcntl",
        "fstatfs",
        "sendmsg",
        "fchmod",
        "fdatasync",
        "renameat",
        "fsync",
    ];
    for call in calls {
        let server = Server::start();
        server.put("file", &content(1));
        let mut client = server.logged_in();
        let keeper = server.only_keeper();
        let _injection = Strace::inject(&keeper, call, "signal=KILL");
        let mut last = BTreeMap::from([("file".to_owned(), 1)]);
        if try_upload(&mut client, "file", &content(2)).is_some() {
            last.insert("file".to_owned(), 2);
        }
        keeper.wait_for_end();
        check(&last, &server.home, call);
        let mut after = server.logged_in();
        after.upload(Data::Epsv, "file", &content(9));
        assert_eq!(number(&server.content("file")), Some(9), "{call}");
    }
}
