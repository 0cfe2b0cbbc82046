//! `ftphash` from outside, beside the programs whose form it has.
#![expect(clippy::unwrap_used, reason = "what fails here shall end the test")]

mod compare;
mod confirm;
mod readme;
mod sum;
mod verify;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tests::binaries;

fn run(program: impl AsRef<OsStr>, directory: &Path, arguments: &[&OsStr]) -> Output {
    Command::new(program)
        .current_dir(directory)
        .env("LC_ALL", "C")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}

/// A directory with a large file, an empty one, and names that a line cannot hold as they are.
fn files() -> (tempfile::TempDir, Vec<&'static OsStr>) {
    let directory = tempfile::tempdir().unwrap();
    let names: [&[u8]; 5] = [b"large", b"empty", b"a\nb\\", b" two  spaces ", b"\xff*"];
    let names: Vec<_> = names.into_iter().map(OsStr::from_bytes).collect();
    for name in &names {
        fs::write(directory.path().join(name), name.as_bytes()).unwrap();
    }
    fs::write(directory.path().join("large"), vec![7; 3_000_001]).unwrap();
    fs::write(directory.path().join("empty"), b"").unwrap();
    (directory, names)
}

/// Runs `ftphash` in a directory; what it says can be asserted.
fn ftphash(directory: &Path, words: &[&str]) -> assert_cmd::assert::Assert {
    let mut command = assert_cmd::Command::new(binaries::path("ftphash"));
    command.current_dir(directory).args(words).assert()
}

/// A directory with these files, and those above them.
fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

/// Octets that no part of looks like another.
fn noise(length: usize) -> Vec<u8> {
    let mut octets = vec![0; length];
    fastrand::Rng::with_seed(7).fill(&mut octets);
    octets
}
