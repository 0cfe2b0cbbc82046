//! What no tool does: end well where nobody could be told what it was asked for.
#![expect(clippy::unwrap_used, reason = "what fails here shall end the test")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tests::mounts::{self, Mounted};
use tests::{Scratch, binaries};

/// Everything that prints something and succeeds, with `users`, `file` and `SUMS` in the current directory.
const LINES: [&str; 26] = [
    "ftpd --help",
    "ftpd -h",
    "ftpd --version",
    "ftpd --generate man",
    "ftpd --check -f conf",
    "ftpd --check -f conf --user fred --from 192.0.2.7",
    "ftpd --check -f conf --user fred --from 192.0.2.7 --json",
    "ftpd --dump-config -f conf",
    "ftpd --dump-config -f conf --user fred",
    "ftpd --explain idle",
    "ftpproxy --help",
    "ftpproxy --check -port 2121 -targets 192.0.2.1",
    "ftphash --help",
    "ftphash sum file",
    "ftphash sum --json file",
    "ftphash verify SUMS",
    "ftphash verify --json SUMS",
    "ftphash compare --all file file",
    "ftphash compare --all --json file file",
    "ftpuser --help",
    "ftpuser list -a users",
    "ftpuser list --json -a users",
    "ftpuser show fred -a users",
    "ftpuser show fred --json -a users",
    "ftpuser export --to metaftpd -a users",
    "ftpuser import --from metaftpd more --dry-run -a users",
];

fn place() -> Scratch {
    let scratch = Scratch::new();
    let users = scratch.join("users");
    let home = scratch.path().display().to_string();
    fs::write(&users, format!("fred:plain::pw:nobody:{home}:\n")).unwrap();
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(scratch.join("more"), "ann:plain::pw:nobody:/:\n").unwrap();
    fs::write(scratch.join("file"), "hello\n").unwrap();
    let sum = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  file\n";
    fs::write(scratch.join("SUMS"), sum).unwrap();
    let configuration = format!(
        "Port=2121\nAuthMethods=native\nAuthFile={}\n",
        users.display()
    );
    fs::write(scratch.join("conf"), configuration).unwrap();
    scratch
}

/// Runs a line, and gives its exit status and what it complains about.
fn run(directory: &Path, line: &str, output: Stdio) -> (Option<i32>, String) {
    let (program, words) = line.split_once(' ').unwrap();
    let output = Command::new(binaries::path(program))
        .args(words.split(' '))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_full_disk_or_a_closed_pipe_is_told_and_a_failure() {
    let scratch = place();
    for line in LINES {
        let (status, told) = run(scratch.path(), line, Stdio::null());
        assert_eq!(status, Some(0), "{line}: {told}");
        let full = File::options().write(true).open("/dev/full").unwrap();
        let (reader, closed) = nix::unistd::pipe().unwrap();
        drop(reader);
        for (output, why) in [
            (Stdio::from(full), "No space left on device"),
            (Stdio::from(closed), "Broken pipe"),
        ] {
            let (status, told) = run(scratch.path(), line, output);
            // diff(1)'s trouble is 2.
            let failure = if line.contains("compare") { 2 } else { 1 };
            assert_eq!(status, Some(failure), "{line}: {told}");
            assert!(
                told.contains(&format!("standard output: {why}")),
                "{line}: {told}"
            );
        }
    }
}

#[test]
fn a_full_disk_leaves_no_user_file_that_was_not_there() {
    let scratch = place();
    if !mounts::private() {
        return;
    }
    let full = scratch.join("full");
    let _mounted = Mounted::tmpfs(&full, "size=8k");
    fs::write(full.join("all"), [0; 8192]).unwrap();
    for line in [
        "ftpuser add bob -t null --home / -u nobody -a full/new",
        "ftpuser import --from metaftpd more -a full/new",
    ] {
        let (status, told) = run(scratch.path(), line, Stdio::null());
        assert_eq!(status, Some(1), "{line}: {told}");
        assert!(
            told.contains("full/new: No space left on device"),
            "{line}: {told}"
        );
        assert_eq!(fs::read_dir(&full).unwrap().count(), 1, "{line}");
    }
    // With room the same lines go through.
    fs::remove_file(full.join("all")).unwrap();
    for name in [
        "add bob -t null --home / -u nobody",
        "import --from metaftpd more",
    ] {
        let line = format!("ftpuser {name} -a full/new");
        let (status, told) = run(scratch.path(), &line, Stdio::null());
        assert_eq!(status, Some(0), "{line}: {told}");
    }
    assert_eq!(
        fs::read_to_string(full.join("new")).unwrap(),
        "bob:null:::nobody:/:\nann:plain::pw:nobody:/:\n"
    );
}
