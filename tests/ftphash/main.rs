//! `ftphash` from outside, beside the coreutils programs whose form it has.
#![expect(clippy::unwrap_used, reason = "what fails here shall end the test")]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tests::{binaries, require};

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

#[test]
fn sums_are_those_of_coreutils_to_the_octet() {
    let (directory, names) = files();
    for (algorithm, program) in [
        ("md5", "md5sum"),
        ("sha1", "sha1sum"),
        ("SHA-256", "sha256sum"),
        ("sha512", "sha512sum"),
    ] {
        let mut arguments = ["sum", "-a", algorithm].map(OsStr::new).to_vec();
        arguments.extend(&names);
        let ours = run(binaries::path("ftphash"), directory.path(), &arguments);
        let theirs = run(program, directory.path(), &names);
        assert_eq!(ours.stdout, theirs.stdout, "{algorithm}");
        assert!(ours.status.success() && ours.stderr.is_empty());
    }
}

/// Its program shows names that are no text in its own way.
#[test]
fn blake3_is_that_of_b3sum() {
    if !require::programs(&["b3sum"]) {
        return;
    }
    let (directory, _) = files();
    let names = ["large", "empty"].map(OsStr::new);
    let arguments = [&["sum", "-a", "blake3"].map(OsStr::new)[..], &names].concat();
    let ours = run(binaries::path("ftphash"), directory.path(), &arguments);
    let theirs = run("b3sum", directory.path(), &names);
    assert_eq!(ours.stdout, theirs.stdout);
}

#[test]
fn each_side_verifies_what_the_other_printed() {
    let (directory, names) = files();
    let manifest = directory.path().join("manifest");
    let ours = [&[OsStr::new("sum")], &names[..]].concat();
    fs::write(
        &manifest,
        run(binaries::path("ftphash"), directory.path(), &ours).stdout,
    )
    .unwrap();
    let check = ["-c", "manifest"].map(OsStr::new);
    let theirs = run("sha256sum", directory.path(), &check);
    assert!(theirs.status.success(), "{theirs:?}");
    let verify = ["verify", "manifest"].map(OsStr::new);
    let ours = run(binaries::path("ftphash"), directory.path(), &verify);
    assert_eq!(ours.stdout, theirs.stdout);
    assert!(ours.status.success());
    let tagged = [&[OsStr::new("--tag")], &names[..]].concat();
    fs::write(&manifest, run("md5sum", directory.path(), &tagged).stdout).unwrap();
    assert!(
        run(binaries::path("ftphash"), directory.path(), &verify)
            .status
            .success()
    );
}

#[test]
fn a_changed_a_missing_and_an_unreadable_file_fail() {
    let (directory, _) = files();
    let names = ["sum", "large", "empty"].map(OsStr::new);
    let mut manifest = run(binaries::path("ftphash"), directory.path(), &names).stdout;
    let line = text(&manifest)
        .lines()
        .next()
        .unwrap()
        .replace("large", "gone");
    manifest.extend_from_slice(format!("not a line\n{line}\n").as_bytes());
    fs::write(directory.path().join("manifest"), manifest).unwrap();
    fs::write(directory.path().join("empty"), "no more").unwrap();
    let verify = |options: &[&str]| {
        let options: Vec<_> = ["verify", "manifest"]
            .iter()
            .chain(options)
            .map(OsStr::new)
            .collect();
        run(binaries::path("ftphash"), directory.path(), &options)
    };
    let failed = "empty: FAILED\ngone: FAILED open or read\n";
    let all = verify(&[]);
    assert_eq!(text(&all.stdout), format!("large: OK\n{failed}"));
    assert_eq!(all.status.code(), Some(1));
    let told = text(&all.stderr);
    for what in [
        "gone: No such file",
        "improperly formatted lines: 1",
        "could not be read: 1",
        "NOT match: 1",
    ] {
        assert!(told.contains(what), "{told}");
    }
    let quiet = verify(&["--quiet"]);
    assert_eq!(
        (text(&quiet.stdout), quiet.status.code()),
        (failed.to_owned(), Some(1))
    );
    let status = verify(&["--status"]);
    assert_eq!(
        (text(&status.stdout), status.status.code()),
        (String::new(), Some(1))
    );
}

#[test]
fn a_manifest_without_a_line_is_no_success() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("manifest"), "# nothing\n\nhello\n").unwrap();
    let verify = ["verify", "manifest"].map(OsStr::new);
    assert_eq!(
        run(binaries::path("ftphash"), directory.path(), &verify)
            .status
            .code(),
        Some(1)
    );
    let verify = ["verify", "no such manifest"].map(OsStr::new);
    assert_eq!(
        run(binaries::path("ftphash"), directory.path(), &verify)
            .status
            .code(),
        Some(1)
    );
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let (directory, _) = files();
    let sum = ["sum", "gone", ".", "empty"].map(OsStr::new);
    let output = run(binaries::path("ftphash"), directory.path(), &sum);
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert_eq!(text(&output.stderr).lines().count(), 2);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_closed_pipe_is_success_and_a_full_disk_is_not() {
    let sum = || {
        let mut command = Command::new(binaries::path("ftphash"));
        command
            .arg("sum")
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let (reader, writer) = nix::unistd::pipe().unwrap();
    drop(reader);
    assert!(sum().stdout(writer).status().unwrap().success());
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(sum().stdout(full).status().unwrap().code(), Some(1));
}

#[test]
fn wrong_usage_is_2() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["sum", "-a", "jh-512"][..],
        &["verify"],
        &["nonsense"],
        &[],
    ] {
        let arguments: Vec<_> = arguments.iter().map(OsStr::new).collect();
        let status = run(binaries::path("ftphash"), directory.path(), &arguments).status;
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}
