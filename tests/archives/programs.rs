//! The programs that make and read archives elsewhere.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::fed::fed;
use tests::require;

/// Both of them, as far as they are installed.
pub(crate) fn all() -> Vec<&'static str> {
    ["tar", "bsdtar"]
        .into_iter()
        .filter(|program| require::programs(&[program]))
        .collect()
}

/// Runs a program in a directory with an archive as its input; its output. It must succeed.
#[track_caller]
pub(crate) fn feed(program: &str, arguments: &[&str], directory: &Path, archive: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(directory)
        .env("LC_ALL", "C.UTF-8");
    let output = fed(&mut command, archive);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && errors.is_empty(),
        "{program}: {errors}"
    );
    output.stdout
}

/// Unpacks an archive into a directory.
#[track_caller]
pub(crate) fn unpack(program: &str, directory: &Path, archive: &[u8]) {
    feed(program, &["-xpf", "-"], directory, archive);
}

/// Unpacks what a program may complain about, such as names without a meaning or times out of range.
pub(crate) fn unpack_anyhow(program: &str, directory: &Path, archive: &[u8]) {
    let mut child = Command::new(program)
        .args(["-xf", "-"])
        .current_dir(directory)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let _ = input.write_all(archive);
    drop(input);
    child.wait().unwrap();
}
