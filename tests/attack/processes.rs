//! Attacks on what the daemon is among other processes, by their row in our table of attacks: what connections leave behind, what
//! it listens on, and whom it signals.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::signal::Signal;
use tests::client::connect_from;
use tests::namespaces::Numbers;
use tests::processes::Process;
use tests::{Client, Data, Server, Setup, wait};

/// Connects so often and hangs up, every other time before the greeting has come; how many were greeted.
fn come_and_go(server: &Server, times: u32) -> u32 {
    let mut greeted = 0;
    for number in 0..times {
        let from = Ipv4Addr::new(127, 0, 6, 1 + (number % 200) as u8);
        let mut client = Client::over(connect_from(from, server.address()));
        if number % 2 == 0 && client.reply().code == 220 {
            greeted += 1;
        }
    }
    // Whoever comes last is greeted when all others have been.
    drop(server.connect());
    wait::until("all sessions are over", || server.keepers().is_empty());
    greeted
}

/// The namespaces of a process, each by its number.
fn namespaces(process: &Process) -> Vec<std::path::PathBuf> {
    let directory = format!("/proc/{}/ns", process.pid);
    let entries = fs::read_dir(directory).unwrap();
    let links = entries.map(|entry| fs::read_link(entry.unwrap().path()).unwrap());
    let mut links: Vec<_> = links.collect();
    links.sort();
    links
}

/// How much memory the listener has before, and how much more after, in KiB.
fn connections_leave_nothing(times: u32) -> (u64, u64) {
    let server = Setup::new().with_penalties().start();
    // A client costs no namespace, or the kernel would have some to clean up for each.
    let client = server.connect();
    let (listener, keeper) = (server.process(), server.only_keeper());
    assert_eq!(namespaces(&keeper), namespaces(&listener));
    assert_eq!(namespaces(&keeper.only_child()), namespaces(&listener));
    drop(client);
    come_and_go(&server, 200);
    let state = || {
        let mut descriptors = listener.descriptors();
        descriptors.sort();
        (descriptors, listener.children())
    };
    let (before, memory) = (state(), listener.memory());
    let greeted = come_and_go(&server, times);
    assert_eq!(state(), before);
    let grown = listener.memory().saturating_sub(memory);
    assert!(greeted >= times / 3, "{greeted} of {times} were greeted");
    assert!(grown < 256, "the listener grew by {grown} KiB");
    server.logged_in().expect("NOOP", 200);
    (memory, grown)
}

#[test]
fn row_9_connections_leave_nothing_behind() {
    connections_leave_nothing(2000);
}

#[test]
#[ignore = "takes minutes: `make soak` runs it"]
fn row_9_a_hundred_thousand_connections_leave_nothing_behind() {
    let (memory, grown) = connections_leave_nothing(100_000);
    println!("the listener had {memory} KiB, and {grown} KiB more afterwards");
}

/// What a session is asked over and over: paths, names that are kept, listings in replies, a rename that is begun and one that is not done.
#[rustfmt::skip]
const ASKED: [(&str, u16); 14] = [
    ("CWD /directory/./../directory", 250), ("PWD", 257), ("SIZE /file", 213), ("MLST /file", 250), ("STAT /", 213), ("RNFR /file", 350),
    ("CLNT some client or other", 200), ("OPTS MLST type;size;", 200), ("REST 5", 350), ("EPSV", 229), ("MDTM /nothing", 550), ("RETR /nothing", 550),
    ("NONSENSE", 500), ("NOOP", 200),
];

/// So many commands in one session; what its two processes have grown by, in KiB.
fn commands_leave_nothing(times: usize) -> [u64; 2] {
    let server = Server::start();
    server.put("file", b"content");
    server.put_directory("directory");
    let mut client = server.logged_in();
    let keeper = server.only_keeper();
    let halves = [keeper.only_child(), keeper];
    let mut ask = |times: usize| {
        for (line, code) in ASKED.iter().cycle().take(times) {
            client.expect(line, *code);
        }
    };
    ask(2000);
    let before = halves.each_ref().map(Process::memory);
    ask(times);
    let after = halves.each_ref().map(Process::memory);
    std::array::from_fn(|half| after[half].saturating_sub(before[half]))
}

#[test]
fn row_60_commands_leave_nothing_behind() {
    let grown = commands_leave_nothing(20_000);
    assert!(grown.iter().all(|&grown| grown < 64), "KiB: {grown:?}");
}

#[test]
#[ignore = "takes minutes: `make soak` runs it"]
fn row_60_a_million_commands_leave_nothing_behind() {
    let grown = commands_leave_nothing(1_000_000);
    println!("a million commands: {grown:?} KiB more");
    assert!(grown.iter().all(|&grown| grown < 100), "KiB: {grown:?}");
}

/// What of a process others can come to: sockets that accept or receive from anybody, each as its line in /proc/net.
fn doors(process: &Process) -> Vec<String> {
    let descriptors = process.descriptors();
    let mut doors = Vec::new();
    for (table, inode) in [
        ("tcp", 9),
        ("tcp6", 9),
        ("udp", 9),
        ("udp6", 9),
        ("raw", 9),
        ("raw6", 9),
        ("unix", 6),
        ("packet", 8),
        ("netlink", 9),
    ] {
        let Ok(text) = fs::read_to_string(format!("/proc/{}/net/{table}", process.pid)) else {
            continue;
        };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let is_door = match table {
                // The state of who listens.
                "tcp" | "tcp6" => fields[3] == "0A",
                // Whoever has a name, or accepts, can be found; a pair has neither.
                "unix" => fields.len() > 7 || fields[3] == "00010000",
                _ => true,
            };
            let socket = format!("socket:[{}]", fields[inode]);
            if is_door && descriptors.contains(&socket) {
                doors.push(format!("{table} {}", fields[1]));
            }
        }
    }
    doors
}

/// There is no socket for administrators, and no other one besides the ports.
#[test]
fn row_10_nothing_can_be_connected_to_but_the_ports() {
    let server = Server::start();
    let control = vec![format!("tcp 0100007F:{:04X}", server.address().port())];
    let all = || {
        let mut all = vec![server.process()];
        let mut next = 0;
        while let Some(process) = all.get(next) {
            all.extend(process.children());
            next += 1;
        }
        all
    };
    let of_others = || -> Vec<String> { all()[1..].iter().flat_map(doors).collect() };
    assert_eq!(doors(&server.process()), control);
    assert_eq!(of_others(), [""; 0]);
    let mut client = server.connect();
    server.only_keeper().only_child();
    assert_eq!(of_others(), [""; 0]);
    client.login(&server.login.name, &server.login.password);
    client.expect("SITE WHO", 200);
    assert_eq!(of_others(), [""; 0]);
    // A data port is the network half's alone, until somebody came.
    let address = client.passive_address(Data::Epsv);
    let data = [format!("tcp 0100007F:{:04X}", address.port())];
    assert_eq!(of_others(), data);
    assert_eq!(doors(&server.only_keeper().only_child()), data);
    client.expect("EPSV ALL", 200);
    let data = client.data(Data::Epsv);
    client.begin("NLST");
    assert_eq!(data.open().read_all(), b"");
    client.expect_reply(226);
    assert_eq!(of_others(), [""; 0]);
    assert_eq!(doors(&server.process()), control);
}

/// The number of a process in the innermost namespace that it is in.
fn inner_number(process: &Process) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{}/status", process.pid)).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    line.split_whitespace().last()?.parse().ok()
}

/// Starts and ends processes that are none of the server's, each the leader of a group of its own, in whatever numbers have just
/// become free, until it is over. Gives the numbers that they had.
fn canaries(numbers: &mut Numbers, over: &AtomicBool) -> BTreeSet<u32> {
    Numbers::enter(&numbers.path());
    let (mut alive, mut had): (VecDeque<Child>, _) = (VecDeque::new(), BTreeSet::new());
    let end = |mut canary: Child| {
        drop(canary.stdin.take());
        let status = canary.wait().unwrap();
        assert!(status.success(), "a canary was signalled: {status}");
    };
    while !over.load(Ordering::Relaxed) {
        numbers.again_from(20);
        let canary = Command::new("cat")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Process::of(canary.id() as i32);
        had.extend(process.as_ref().and_then(inner_number));
        alive.push_back(canary);
        if alive.len() > 30 {
            end(alive.pop_front().unwrap());
        }
    }
    alive.into_iter().for_each(end);
    had
}

/// Sessions that end in all the ways that make the listener signal somebody; notes the numbers of their processes.
fn churn(server: &Server, seen: &Mutex<BTreeSet<u32>>) {
    let note = || {
        let keepers = server.keepers();
        let halves = keepers.iter().flat_map(Process::children);
        let numbers = keepers.iter().cloned().chain(halves);
        let numbers: Vec<u32> = numbers
            .filter_map(|process| inner_number(&process))
            .collect();
        seen.lock().unwrap().extend(numbers);
    };
    for round in 0..25 {
        // More than may be there before login: the first of them are killed.
        let crowd: Vec<_> = (1..=6)
            .map(|number| {
                let from = Ipv4Addr::new(127, 0, 7, 1 + number % 3);
                Client::over(connect_from(from, server.address()))
            })
            .collect();
        let mut client = server.logged_in();
        note();
        match round % 3 {
            // Another keeper follows, and the first one is killed.
            0 => client.expect("REIN", 220),
            1 => client.expect("QUIT", 221),
            _ => client.expect("NOOP", 200),
        };
        note();
        drop((crowd, client));
    }
}

#[test]
fn row_11_no_signal_goes_to_a_number_that_another_process_has_by_now() {
    let Some(mut numbers) = Numbers::new() else {
        return;
    };
    let place = format!("--pid={}", numbers.path());
    let mut server = Setup::new()
        .started_by(&["nsenter", &place, "--"])
        .setting("MaxUnauthenticated=3")
        .setting("DrainTimeout=0")
        .start();
    let (over, seen) = (AtomicBool::new(false), Mutex::new(BTreeSet::new()));
    let had = thread::scope(|scope| {
        let flock = scope.spawn(|| canaries(&mut numbers, &over));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            churn(&server, &seen);
            wait::until("the crowd is gone", || server.keepers().is_empty());
            // Two that do not end when they are told to: they are killed when their time is up.
            let mut stuck = [server.logged_in(), server.logged_in()];
            stuck[1].expect("REIN", 220);
            for keeper in server.keepers() {
                keeper.signal(Signal::SIGSTOP);
            }
            server.process().signal(Signal::SIGTERM);
            server.log.line_with(&["killed, it did not end in time"]);
            assert!(server.wait().success());
        }));
        over.store(true, Ordering::Relaxed);
        let had = flock.join();
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        had.unwrap()
    });
    let seen = seen.into_inner().unwrap();
    let recycled = seen.intersection(&had).count();
    println!(
        "{} numbers of sessions, {recycled} of them were others' too",
        seen.len()
    );
    assert!(
        recycled >= 5,
        "{recycled} of {} numbers were given again",
        seen.len()
    );
}
