//! Programs that are given something to read, and heard to their end.

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Runs a program with this on its standard input.
#[track_caller]
pub fn fed(command: &mut Command, input: impl AsRef<[u8]> + Sync) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // In a thread of its own: a program that talks while it listens would else wait for us as we wait for it.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // A program that does not want it closes its end early.
            let _ = stdin.write_all(input.as_ref());
            drop(stdin);
        });
        child.wait_with_output().unwrap()
    })
}
