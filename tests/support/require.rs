//! What a test cannot do without. Says so when it is missing; under CI (`CI=true`) a missing thing is a failure.

use std::io::Write;
use std::path::{Path, PathBuf};

/// Whether the test may go on: it runs as root.
#[must_use]
pub fn root() -> bool {
    nix::unistd::geteuid().is_root() || missing("root")
}

/// Whether the test may go on: all these programs are installed.
#[must_use]
pub fn programs(names: &[&str]) -> bool {
    names
        .iter()
        .all(|name| find(name).is_some() || missing(name))
}

/// Where a library of the system is; `None` if the test may not go on.
pub fn library(name: &str) -> Option<PathBuf> {
    let below = |directory: &str| std::fs::read_dir(directory).into_iter().flatten();
    let found = below("/usr/lib")
        .chain(below("/lib"))
        .filter_map(|entry| Some(entry.ok()?.path().join(name)))
        .find(|path| path.is_file());
    if found.is_none() {
        missing(name);
    }
    found
}

/// Whether the test may go on: the machine has the address `::1`.
#[must_use]
pub fn ipv6() -> bool {
    std::net::TcpListener::bind("[::1]:0").is_ok() || missing("IPv6 on the loopback interface")
}

/// Where a program is, by `PATH` and the system's own directories.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([Path::new("/usr/sbin").into(), Path::new("/usr/bin").into()])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

/// Says that something is missing, whatever it is; gives `false`.
pub fn missing(what: &str) -> bool {
    let test = std::thread::current();
    let test = test.name().unwrap_or("a test").to_owned();
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "{test} needs {what}, and CI must not skip it"
    );
    // Written past the capture of the test harness: a skipped test must be seen.
    let _ = writeln!(std::io::stdout(), "SKIPPED {test}: it needs {what}");
    false
}
