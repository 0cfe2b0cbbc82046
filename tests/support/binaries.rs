//! The programs under test, built as the running test was built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The directory of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where `packaging/peers.sh` has unpacked what Debian does not install beside others of its kind.
pub fn unpacked(package: &str) -> Option<PathBuf> {
    let test = std::env::current_exe().ok()?;
    let target = test.ancestors().find(|path| path.join("peers").is_dir())?;
    Some(target.join("peers").join(package))
}

/// A program from there.
pub fn peer(package: &str, name: &str) -> Option<PathBuf> {
    let program = unpacked(package)?.join("usr/sbin").join(name);
    program.exists().then_some(program)
}

/// Where a program of this workspace is, up to date: a result about yesterday's program is worse than none, and
/// `cargo test --package tests` builds only the tests.
#[track_caller]
pub fn path(program: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(build).join(program)
}

/// Builds all programs as `cargo build --workspace` does: by itself a package has other features of its dependencies,
/// which then are compiled again. Returns the directory they are in.
fn build() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test
        .ancestors()
        .find(|path| path.join("deps").is_dir())
        .unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(root())
        .args(["build", "--quiet", "--workspace"]);
    if target.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(
        cargo.status().unwrap().success(),
        "the programs do not build"
    );
    target.to_owned()
}
