//! Measures `ftphash` beside the programs that people have, on one file of 1 GiB and on a tree of 2,000 files, in turns, and
//! checks that they agree. Only a yardstick: a program that is not there is left out.
//!
//! `cargo build --release -p ftphash && cargo run --release -p ftphash --example beside [DIRECTORY [ROUNDS]]`; the files are made
//! in the directory (default /dev/shm, 1.2 GiB) and removed.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that makes files, starts programs and tells a person"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

const FILES: usize = 2000;

/// What is compared: our words, and the programs that do the same.
struct Contest {
    what: &'static str,
    ours: &'static [&'static str],
    theirs: &'static [&'static [&'static str]],
}

#[rustfmt::skip]
const CONTESTS: &[Contest] = &[
    Contest { what: "md5",         ours: &["-a", "md5"],     theirs: &[&["md5sum"], &["openssl", "dgst", "-md5", "-r"]] },
    Contest { what: "sha-1",       ours: &["-a", "sha-1"],   theirs: &[&["sha1sum"], &["openssl", "dgst", "-sha1", "-r"]] },
    Contest { what: "sha-256",     ours: &["-a", "sha-256"], theirs: &[&["sha256sum"], &["openssl", "dgst", "-sha256", "-r"]] },
    Contest { what: "sha-512",     ours: &["-a", "sha-512"], theirs: &[&["sha512sum"], &["openssl", "dgst", "-sha512", "-r"]] },
    Contest { what: "blake3",      ours: &["-a", "blake3"],  theirs: &[&["b3sum"], &["b3sum", "--num-threads", "1"]] },
];

fn main() {
    let mut words = std::env::args().skip(1);
    let place = words.next().unwrap_or_else(|| "/dev/shm".to_owned());
    let rounds: usize = words.next().map_or(5, |word| word.parse().unwrap());
    let scratch = tempfile::tempdir_in(place).unwrap();
    let (large, tree) = (scratch.path().join("large"), scratch.path().join("tree"));
    let files = make(&large, &tree);
    println!(
        "medians of {rounds} rounds in turns: seconds by the clock (least to most), and of the processor; time of ftphash / theirs"
    );
    for (title, ours, theirs) in [
        ("one file of 1 GiB", vec![name(&large)], vec![name(&large)]),
        (
            "a tree of 2,000 files",
            vec!["-r".to_owned(), name(&tree)],
            files,
        ),
    ] {
        println!("\n{title}");
        for contest in CONTESTS {
            run(contest, &ours, &theirs, rounds);
        }
    }
}

fn name(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Makes the files, and tells those of the tree: 100 in each directory, of 0 to 128 KiB.
fn make(large: &Path, tree: &Path) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(1);
    let mut octets = vec![0; 1 << 30];
    random.fill(&mut octets);
    fs::write(large, &octets).unwrap();
    let path = |number: usize| tree.join(format!("{:02}/{number:04}", number / 100));
    for number in 0..FILES {
        fs::create_dir_all(path(number).parent().unwrap()).unwrap();
        let start = random.usize(..1 << 29);
        let length = random.usize(..128 << 10);
        fs::write(path(number), &octets[start..start + length]).unwrap();
    }
    (0..FILES).map(|number| name(&path(number))).collect()
}

#[derive(Clone, Copy)]
struct Time {
    clock: f64,
    processor: f64,
}

fn run(contest: &Contest, ours: &[String], theirs: &[String], rounds: usize) {
    let program = std::env::current_exe().unwrap();
    let program = program.parent().unwrap().with_file_name("ftphash");
    let mut programs = vec![Command::new(program)];
    programs[0].arg("sum").args(contest.ours).args(ours);
    let mut names = vec!["ftphash".to_owned()];
    for words in contest.theirs {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(theirs);
        if command.output().is_err() {
            println!("  {}: {} is not there", contest.what, words[0]);
            continue;
        }
        names.push(words.join(" "));
        programs.push(command);
    }
    let mut digests = programs.iter_mut().map(digests);
    let expected = digests.next().unwrap();
    assert!(digests.all(|digests| digests == expected), "they differ");
    let mut times = vec![Vec::new(); programs.len()];
    for round in 0..rounds {
        for turn in 0..programs.len() {
            let index = (round + turn) % programs.len();
            times[index].push(once(&mut programs[index]));
        }
    }
    let ours = median(&times[0]);
    for (name, times) in names.iter().zip(&times) {
        let middle = median(times);
        let clocks = times.iter().map(|time| time.clock);
        let (least, most) = (
            clocks.clone().fold(f64::MAX, f64::min),
            clocks.fold(0.0, f64::max),
        );
        println!(
            "  {:8} {name:24} {:6.3} ({least:.3} to {most:.3}) {:6.3}  {:5.2}",
            contest.what,
            middle.clock,
            middle.processor,
            ours.clock / middle.clock
        );
    }
}

/// What a program says the digests are, in their own order.
fn digests(command: &mut Command) -> Vec<String> {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut digests: Vec<_> = text
        .lines()
        .map(|line| line.split(' ').next().unwrap().to_owned())
        .collect();
    digests.sort_unstable();
    digests
}

fn once(command: &mut Command) -> Time {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
        microseconds as f64 / 1e6
    };
    let (before, start) = (used(), Instant::now());
    assert!(command.stdout(Stdio::null()).status().unwrap().success());
    Time {
        clock: start.elapsed().as_secs_f64(),
        processor: used() - before,
    }
}

fn median(times: &[Time]) -> Time {
    let middle = |value: fn(&Time) -> f64| {
        let mut values: Vec<_> = times.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Time {
        clock: middle(|time| time.clock),
        processor: middle(|time| time.processor),
    }
}
