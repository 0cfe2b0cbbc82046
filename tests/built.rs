//! Builds a program as the running test was built.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The directory of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Builds `program` and tells where it is: a result about yesterday's program is worse than none.
#[expect(clippy::unwrap_used, reason = "what fails here shall end the test")]
pub(crate) fn program(program: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.parent().and_then(Path::parent).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root());
    cargo.args(["build", "--quiet", "--package", program]);
    if target.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(
        cargo.status().unwrap().success(),
        "{program} does not build"
    );
    target.join(program)
}
