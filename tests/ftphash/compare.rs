//! `ftphash compare`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use tests::{binaries, require};

use crate::{ftphash, noise, text, tree};

const SIDES: [&str; 2] = ["a", "b"];

/// Two trees of which nearly everything is the same.
fn twins() -> tempfile::TempDir {
    let large = noise(40 << 20);
    let mut other = large.clone();
    other[33 << 20] ^= 1;
    let directory = tree(&[
        ("a/same", b"1"),
        ("b/same", b"1"),
        ("a/empty", b""),
        ("b/empty", b""),
        ("a/d/x", b"12"),
        ("b/d/x", b"123"),
        ("a/d/y", b"12"),
        ("b/d/y", b"21"),
        ("a/only/one", b""),
        ("b/other", b""),
        ("a/file or directory", b""),
        ("b/file or directory/x", b""),
        ("a/large", &large),
        ("b/large", &large),
        ("a/large too", &large),
        ("b/large too", &other),
    ]);
    for side in SIDES {
        let path = directory.path().join(side);
        symlink("same", path.join("link")).unwrap();
        symlink(format!("to {side}"), path.join("other link")).unwrap();
    }
    directory
}

const DIFFERENCES: &str = "differs: d/x\n\
                           differs: d/y\n\
                           only in A: file or directory\n\
                           only in B: file or directory/x\n\
                           differs: large too\n\
                           only in A: only/one\n\
                           only in B: other\n\
                           differs: other link\n";

#[test]
fn differences_are_told_in_the_order_of_the_paths() {
    let directory = twins();
    ftphash(directory.path(), &["compare", "a", "b"])
        .code(1)
        .stdout(DIFFERENCES)
        .stderr("");
    let all = ftphash(directory.path(), &["compare", "--all", "a/", "./b"]).code(1);
    let all = text(&all.get_output().stdout);
    let same: Vec<_> = all
        .lines()
        .filter(|line| line.starts_with("same: "))
        .collect();
    assert_eq!(
        same,
        ["same: empty", "same: large", "same: link", "same: same"]
    );
    ftphash(directory.path(), &["compare", "--status", "a", "b"])
        .code(1)
        .stdout("");
    let objects = ftphash(directory.path(), &["compare", "--json", "a", "b"]).code(1);
    let objects = text(&objects.get_output().stdout);
    let lines: String = objects
        .lines()
        .map(|line| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            let word = |key: &str| object[key].as_str().unwrap().to_owned();
            format!("{}: {}\n", word("verdict"), word("path"))
        })
        .collect();
    assert_eq!(lines, DIFFERENCES);
}

#[test]
fn a_tree_is_the_same_as_itself_and_as_its_copy() {
    let directory = twins();
    ftphash(directory.path(), &["compare", "a", "a"])
        .success()
        .stdout("");
    let copied = Command::new("cp")
        .current_dir(directory.path())
        .args(["-a", "a", "copy"])
        .status();
    assert!(copied.unwrap().success());
    ftphash(directory.path(), &["compare", "a", "copy"])
        .success()
        .stdout("")
        .stderr("");
}

#[test]
fn two_files_are_compared_and_unlike_things_are_not() {
    let directory = twins();
    let at = directory.path();
    ftphash(at, &["compare", "a/large", "b/large"])
        .success()
        .stdout("");
    ftphash(at, &["compare", "a/d/x", "b/d/y"])
        .code(1)
        .stdout("differs: a/d/x\n");
    ftphash(at, &["compare", "a/large", "b/large too"]).code(1);
    ftphash(at, &["compare", "a/empty", "/proc/version"]).code(1);
    ftphash(at, &["compare", "/proc/version", "/proc/version"]).success();
    ftphash(at, &["compare", "a", "b/same"])
        .code(2)
        .stderr("ftphash: a: is a directory, and b/same is not\n");
    ftphash(at, &["compare", "a", "gone"])
        .code(2)
        .stderr("ftphash: gone: No such file or directory\n");
    ftphash(at, &["compare", "a"]).code(2);
}

/// Of what is behind a closed door nothing is said, not even that it is missing.
#[test]
fn what_cannot_be_read_is_trouble() {
    if !require::root() || !require::programs(&["setpriv"]) {
        return;
    }
    let directory = tree(&[
        ("a/d/x", b"1"),
        ("b/d/x", b"1"),
        ("a/e", b"1"),
        ("b/e", b"2"),
    ]);
    let mode = |path: &str, mode: u32| {
        let path = directory.path().join(path);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode("", 0o755);
    mode("b/d", 0o700);
    let program = directory.path().join("ftphash");
    tests::scratch::copy_program(&binaries::path("ftphash"), &program);
    let compare = || {
        Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&program)
            .args(["compare", "a", "b"])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    let told = compare();
    assert_eq!(text(&told.stdout), "differs: e\n");
    assert_eq!(text(&told.stderr), "ftphash: b/d: Permission denied\n");
    assert_eq!(told.status.code(), Some(2));
    mode("b/d", 0o755);
    mode("b/d/x", 0o600);
    let told = compare();
    assert_eq!(text(&told.stderr), "ftphash: b/d/x: Permission denied\n");
    assert_eq!(told.status.code(), Some(2));
}

#[test]
fn names_are_escaped_as_in_manifests() {
    let directory = tree(&[("a/x\ny", b""), ("b/z", b"")]);
    ftphash(directory.path(), &["compare", "a", "b"])
        .code(1)
        .stdout("\\only in A: x\\ny\nonly in B: z\n");
    ftphash(directory.path(), &["compare", "-z", "a", "b"])
        .code(1)
        .stdout("only in A: x\ny\0only in B: z\0");
}
