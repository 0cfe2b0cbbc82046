//! Measures listings against a bare loop of getdents and fstatat over the same directory. Only a yardstick: the
//! times are processor times of this process, and nothing leaves it.
//!
//! `cargo run --release -p common --example listing [ENTRIES]`
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that makes its own files and tells a person"
)]

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use common::jail::{Allowed, FactSet, Format, Jail, Limits, ListRequest, Names, Step, Viewer};
use common::path::VirtualPath;
use common::proto::listing::ListOptions;
use common::proto::verbs::VerbSet;
use common::sys::directory::read_entries;
use nix::fcntl::AtFlags;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::stat::fstatat;

const ROUNDS: usize = 15;

fn main() {
    let entries = std::env::args()
        .nth(1)
        .map_or(20_000, |n| n.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    for number in 0..entries {
        std::fs::write(directory.path().join(format!("file{number:06}.dat")), "x").unwrap();
    }
    let passwd = std::fs::read("/etc/passwd").unwrap();
    let group = std::fs::read("/etc/group").unwrap();
    let viewer = Viewer {
        uid: 1000,
        groups: vec![1000],
        allowed: Allowed::by(VerbSet::ALL),
    };
    let root = File::open(directory.path()).unwrap().into();
    let jail = Jail::new(root, 0o022, viewer, Names::from_passwd(&passwd, &group));

    // One of each in every round, so that all meet the same disturbances; the best round of each counts.
    let mut best = [f64::MAX; 5];
    for _ in 0..ROUNDS {
        let times = [
            processor_time(|| bare(directory.path(), true)),
            processor_time(|| list(&jail, Format::Long)),
            processor_time(|| list(&jail, Format::Facts)),
            processor_time(|| bare(directory.path(), false)),
            processor_time(|| list(&jail, Format::Names)),
        ];
        for (best, time) in best.iter_mut().zip(times) {
            *best = best.min(time);
        }
    }
    let names = ["getdents + fstatat", "LIST", "MLSD", "getdents", "NLST"];
    for (index, (name, time)) in names.iter().zip(best).enumerate() {
        let bare = best[index / 3 * 3];
        let (rate, ratio) = (f64::from(entries) / time, time / bare);
        println!("{name:20} {rate:12.0} entries/s   {ratio:5.2} × the bare loop");
    }
}

fn list(jail: &Jail, format: Format) -> usize {
    let request = ListRequest {
        format,
        options: ListOptions::default(),
        pattern: None,
        typed: Vec::new(),
        facts: FactSet::ALL,
        limits: Limits {
            depth: 0,
            entries: 0,
            sorted: common::jail::MOST_SORTED,
        },
    };
    let mut listing = jail.list(&VirtualPath::root(), &request).unwrap();
    let (mut out, mut total) = (Vec::new(), 0);
    while listing.step(&mut out, 65_536).unwrap() == Step::More {
        total += out.len();
        out.clear();
    }
    total
}

fn bare(path: &Path, describe: bool) -> usize {
    let directory = File::open(path).unwrap();
    let mut buffer = vec![0; 32_768];
    let mut total = 0;
    loop {
        let filled = read_entries(directory.as_fd(), &mut buffer).unwrap();
        if filled == 0 {
            return total;
        }
        let mut at = 0;
        while at < filled {
            let length = usize::from(u16::from_ne_bytes([buffer[at + 16], buffer[at + 17]]));
            let name = CStr::from_bytes_until_nul(&buffer[at + 19..at + length]).unwrap();
            if describe {
                let stat = fstatat(&directory, name, AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
                total += usize::try_from(stat.st_size).unwrap();
            } else {
                total += name.count_bytes();
            }
            at += length;
        }
    }
}

fn processor_time(work: impl FnOnce() -> usize) -> f64 {
    let now = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
        let (user, system) = (usage.user_time(), usage.system_time());
        let microseconds = user.tv_usec() + system.tv_usec();
        (user.tv_sec() + system.tv_sec()) as f64 + microseconds as f64 / 1e6
    };
    let begin = now();
    std::hint::black_box(work());
    now() - begin
}
