//! Too much of what is allowed: keeper's memory and time are bounded whatever the other half does.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use common::channel::{FileAnswer, FileRequest, ListFormat, Typed, UploadAt};
use common::path::VirtualPath;
use common::proto::facts::FactSet;
use common::proto::hostport::Family;
use common::proto::listing::ListOptions;
use common::sys;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::PollFlags;
use nix::unistd::Pid;

use crate::Test;
use crate::scene::{Identity, Scene, is_ready};

pub(crate) const TESTS: &[Test] = &[
    (
        "ten_thousand_requests_leave_keeper_as_small_as_it_was",
        many_requests,
    ),
    (
        "answers_that_nobody_reads_keep_keeper_neither_busy_nor_growing",
        unread_answers,
    ),
    (
        "a_listing_that_nobody_reads_keeps_keeper_neither_busy_nor_growing",
        unread_listing,
    ),
];

const MANY: usize = 10_000;
/// What may grow by how much over [`MANY`] requests. The heap is counted exactly, in pieces of 132 KiB; what of it is in
/// memory is an estimate on kernels that count for each processor apart.
const GROWTH: [(&str, u64); 3] = [("VmData", 0), ("RssAnon", 256), ("FDSize", 0)];
/// How long keeper is watched while it has nothing to do, and how much of that it may run.
const WATCHED: Duration = Duration::from_secs(1);
const TICKS: u64 = 3;

/// A line of /proc/PID/status that counts something.
fn count(keeper: Pid, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{keeper}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap();
    line.trim_start_matches(':')
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

/// The processor time that keeper has used, in ticks of 10 ms.
fn ticks(keeper: Pid) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{keeper}/stat")).unwrap();
    // The second field is a name in parentheses, which may hold spaces; utime and stime are the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11..13]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum()
}

fn root() -> VirtualPath {
    VirtualPath::root()
}

fn list() -> FileRequest {
    let typed = Typed::new(b"").unwrap();
    FileRequest::List {
        path: root(),
        pattern: None,
        typed,
        format: ListFormat::Long,
        options: ListOptions {
            all: true,
            ..ListOptions::default()
        },
        facts: FactSet::ALL,
    }
}

fn many_requests(identity: Identity) {
    let mut scene = Scene::logged_in(identity);
    let round = |scene: &mut Scene| {
        let new = VirtualPath::new(b"/new").unwrap();
        for request in [
            FileRequest::Stat { path: root() },
            FileRequest::Facts {
                path: root(),
                wanted: FactSet::ALL,
            },
            list(),
            FileRequest::ListEnd,
            list(),
            FileRequest::Create {
                path: new,
                at: UploadAt::Replace,
                continuable: true,
                declared: None,
            },
            FileRequest::PassiveListen { family: Family::V4 },
            FileRequest::ChangeDir { path: root() },
            FileRequest::Commit,
            FileRequest::Commit,
        ] {
            let (answer, _) = scene.ask(&request);
            assert!(!matches!(answer, FileAnswer::NotPermitted), "{request:?}");
        }
    };
    (0..50).for_each(|_| round(&mut scene));
    let before = GROWTH.map(|(key, _)| count(scene.keeper, key));
    (0..MANY / 10).for_each(|_| round(&mut scene));
    for ((key, slack), before) in GROWTH.into_iter().zip(before) {
        let after = count(scene.keeper, key);
        assert!(
            after <= before + slack,
            "{key} grew from {before} to {after}"
        );
    }
}

/// Sends without waiting until keeper has taken nothing for a while; how many it took.
fn flood(scene: &mut Scene, request: &FileRequest) -> usize {
    fcntl(scene.channel(), FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let octets = scene.numbered(request);
    let mut sent = 0;
    loop {
        match sys::send_datagram(scene.channel().as_fd(), &octets, None) {
            Ok(()) => sent += 1,
            Err(Errno::EAGAIN) => {
                if !is_ready(scene.channel(), PollFlags::POLLOUT, WATCHED) {
                    return sent;
                }
            }
            Err(errno) => panic!("{errno}"),
        }
        assert!(sent < 1_000_000, "keeper takes requests without end");
    }
}

/// What keeper runs while nothing is asked of it that it could do.
fn idle_ticks(scene: &Scene, quiet: &OwnedFd) -> u64 {
    let before = ticks(scene.keeper);
    assert!(!is_ready(quiet, PollFlags::POLLOUT, WATCHED));
    ticks(scene.keeper) - before
}

fn unread_answers(identity: Identity) {
    // The second kind of answer holds a descriptor each; those in flight are the kernel's to count.
    for request in [
        FileRequest::Stat { path: root() },
        FileRequest::PassiveListen { family: Family::V4 },
    ] {
        let mut scene = Scene::logged_in(identity);
        let before = count(scene.keeper, "RssAnon");
        let sent = flood(&mut scene, &request);
        assert!(sent > 1, "{request:?}");
        let busy = idle_ticks(&scene, scene.channel());
        assert!(
            busy <= TICKS,
            "keeper ran {busy} ticks after {sent} of {request:?}"
        );
        let after = count(scene.keeper, "RssAnon");
        assert!(
            after <= before + 256,
            "it grew from {before} to {after} KiB"
        );
        assert_eq!(scene.leave(), 0, "{request:?}");
    }
}

fn unread_listing(identity: Identity) {
    let mut scene = Scene::logged_in(identity);
    for number in 0..3000 {
        std::fs::write(scene.home.join(format!("{number:0100}")), "").unwrap();
    }
    let small = count(scene.keeper, "RssAnon");
    let (answer, pipe) = scene.ask(&list());
    assert!(matches!(answer, FileAnswer::Listing), "{answer:?}");
    let (quiet, _writer) = nix::unistd::pipe().unwrap();
    let before = ticks(scene.keeper);
    // A reading end is never ready for writing: this only lets time pass.
    assert!(!is_ready(&quiet, PollFlags::POLLOUT, WATCHED));
    let busy = ticks(scene.keeper) - before;
    assert!(
        busy <= TICKS,
        "keeper ran {busy} ticks for a pipe that is full"
    );
    let grown = count(scene.keeper, "RssAnon") - small;
    assert!(grown < 1024, "a listing takes {grown} KiB");
    drop(pipe);
    let (answer, _) = scene.ask(&FileRequest::ListEnd);
    assert!(matches!(answer, FileAnswer::Listed { .. }), "{answer:?}");
    assert_eq!(scene.leave(), 0);
}
