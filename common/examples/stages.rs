//! Measures the stages of a transfer on one core: TYPE A, MODE Z and the digests. Only a yardstick: the times are processor
//! times of this process, and nothing leaves it.
//!
//! `cargo run --release -p common --example stages [FILE]`; without a file, on the sources of this crate, repeated.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a measurement that reads a file and tells a person"
)]

use std::path::Path;

use common::digest::{Algorithm, Hasher};
use common::proto::representation::Level;
use common::stage::deflate::{Deflate, Inflate};
use common::stage::{Stage, ascii};
use nix::sys::resource::{UsageWho, getrusage};

/// What a flow gives to its stages at once.
const PIECE: usize = 64 << 10;
const SIZE: usize = 64 << 20;
const ROUNDS: usize = 5;

fn main() {
    let file = std::env::args().nth(1);
    let octets = match &file {
        Some(file) => std::fs::read(file).unwrap(),
        None => sources(),
    };
    let lines = memchr::memchr_iter(b'\n', &octets).count().max(1);
    println!(
        "{} octets, {} in a line",
        octets.len(),
        octets.len() / lines
    );
    let wire = through("TYPE A to the wire", &octets, &mut || {
        Box::new(ascii::ToWire::default())
    });
    let back = through("TYPE A from the wire", &wire, &mut || {
        Box::new(ascii::FromWire::default())
    });
    assert!(file.is_some() || back == octets);
    for level in [1, 3, 6, 9] {
        let level = Level::new(level).unwrap();
        let name = format!("MODE Z level {}", level.number());
        let stream = through(&name, &octets, &mut || Box::new(Deflate::new(level)));
        println!(
            "{:28} {:.3} of the size",
            "",
            stream.len() as f64 / octets.len() as f64
        );
        if level == Level::default() {
            through("MODE Z back (of the stream)", &stream, &mut || {
                Box::new(Inflate::new(0))
            });
        }
    }
    for algorithm in Algorithm::ALL {
        let time = best(&mut || {
            let mut hasher = Hasher::new(algorithm);
            octets.chunks(PIECE).for_each(|piece| hasher.update(piece));
            assert_eq!(hasher.finish().as_bytes().len(), algorithm.length());
        });
        tell(algorithm.name(), octets.len(), time);
    }
}

/// Text as it is found in files: our own.
fn sources() -> Vec<u8> {
    fn collect(directory: &Path, text: &mut Vec<u8>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => collect(&path, text),
                false => text.extend(std::fs::read(&path).unwrap()),
            }
        }
    }
    let mut text = Vec::new();
    collect(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut text,
    );
    text.iter().copied().cycle().take(SIZE).collect()
}

/// Runs the octets through a stage, as a flow does, and gives what came out.
fn through(name: &str, octets: &[u8], stage: &mut dyn FnMut() -> Box<dyn Stage>) -> Vec<u8> {
    let mut result = Vec::new();
    let mut out = Vec::new();
    let time = best(&mut || {
        let mut stage = stage();
        let piece = PIECE.min(stage.appetite());
        octets.chunks(piece).for_each(|piece| {
            out.clear();
            stage.push(piece, &mut out).unwrap();
        });
    });
    let mut stage = stage();
    let piece = PIECE.min(stage.appetite());
    octets
        .chunks(piece)
        .for_each(|piece| stage.push(piece, &mut result).unwrap());
    stage.finish(&mut result).unwrap();
    tell(name, octets.len(), time);
    result
}

/// The shortest processor time of some rounds, in seconds.
fn best(work: &mut dyn FnMut()) -> f64 {
    let used = || {
        let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
        let seconds =
            |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    };
    let rounds = (0..ROUNDS).map(|_| {
        let start = used();
        work();
        used() - start
    });
    rounds.fold(f64::INFINITY, f64::min)
}

fn tell(name: &str, octets: usize, seconds: f64) {
    println!(
        "{name:28} {:>7.0} MiB/s",
        octets as f64 / seconds / f64::from(1 << 20)
    );
}
