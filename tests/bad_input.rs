//! Bad input of every kind: each message names the place and what to do about it.
#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::process::Command;

use tests::user::ordinary;
use tests::{Scratch, binaries, require};

/// What the check of these octets says, in a file that this mode is given.
fn complaint(scratch: &Scratch, octets: &[u8], mode: u32) -> String {
    let program = Command::new(binaries::path("ftpd"));
    complaint_of(program, scratch, octets, mode)
}

fn complaint_of(mut program: Command, scratch: &Scratch, octets: &[u8], mode: u32) -> String {
    let file = scratch.join("bad.conf");
    fs::write(&file, octets).unwrap();
    tests::scratch::mode(&file, mode);
    let output = program
        .args(["--check", "-f", "bad.conf"])
        .current_dir(scratch.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(output.stdout, b"");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_file_that_is_none_is_told_with_its_place_and_what_to_do() {
    let scratch = Scratch::new();
    let text = complaint(&scratch, b"Port=2121\n  Banner=Gr\xc3\xbc\xdfe\n", 0o600);
    assert_eq!(
        text,
        "ftpd: bad.conf:2:13: this is not UTF-8: save the file in that encoding\n  2 |   Banner=Grü\u{fffd}e\n    |             ^\n"
    );
    let text = complaint(&scratch, b"Idle = 5m\r\nPort=2121\r\nidle=6m\r\n", 0o600);
    assert_eq!(
        text,
        "ftpd: bad.conf:3:6: Idle is already set on line 1: leave one of them out\n  3 | idle=6m\n    |      ^^\n"
    );
    let huge = complaint(&scratch, &[b'\n'; (1 << 20) + 1], 0o600);
    assert!(
        huge.contains("bad.conf: cannot be read: it is longer than 1 MiB"),
        "{huge}"
    );
    if require::root() {
        let text = complaint(&scratch, b"Port=2121\n", 0o646);
        assert!(
            text.contains("bad.conf: cannot be read: its mode 646"),
            "{text}"
        );
        assert!(text.contains("chmod go-w it"), "{text}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_told_with_what_to_do() {
    let scratch = Scratch::new();
    // The checkout may be in a directory that the user cannot enter.
    let copy = scratch.join("ftpd");
    fs::copy(binaries::path("ftpd"), &copy).unwrap();
    for path in [scratch.path(), &copy] {
        tests::scratch::mode(path, 0o755);
    }
    let mut program = Command::new(copy);
    if nix::unistd::geteuid().is_root() {
        let user = ordinary();
        program.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    let text = complaint_of(program, &scratch, b"Port=2121\n", 0);
    assert!(text.contains("must be able to read it"), "{text}");
}

/// A line of words, files that it finds in its directory, with their modes, and what it says.
type Case<'a> = (&'a str, &'a [(&'a str, &'a [u8], u32)], &'a str);

#[rustfmt::skip]
const CASES: [Case<'_>; 28] = [
    ("ftpd --check -proxy",         &[],                                                    "-proxy: Transparent leads nobody anywhere without Targets, the networks that clients may go to: such as -targets 192.0.2.0/24, "),
    ("ftpd --check -authmethods native,hp-md5", &[],                                       "\"hp-md5\" is a login by challenge, which there is none of: leave it out; "),
    ("ftpd --check -f c",           &[("c", b"Nonsense=1\n", 0o600)],                       "c:1:1: unknown key \"Nonsense\": metaftpd.conf(5) has all keys"),
    ("ftpd --check -f c",           &[("c", b"Servers=a=192.0.2.1\n", 0o600)],              "c:1:1: unknown key \"Servers\", which is for ftpproxy.conf(5): leave it out"),
    ("ftpd --check -f c.toml",      &[("c.toml", b"nonsense = 1\n", 0o600)],                "c.toml:1:1: unknown name \"nonsense\": metaftpd.conf(5) has all names"),
    ("ftpd --check -f c",           &[("c", b"Idle=5 parsecs\n", 0o600)],                   "c:1:6: Idle: \"5 parsecs\" is not a time such as 90, 5m, 1h30m or 500ms"),
    ("ftpd --check -f nothing",     &[],                                                    "nothing: cannot be read: No such file or directory (os error 2); -f names the file"),
    ("ftpd --check -f .",           &[],                                                    ".: cannot be read: it is not a regular file: name one"),
    ("ftpd --check -bannerfile b", &[("b", b"one\ntw\xc3\xb6\xff\n", 0o600)],              "/b cannot be read: line 2, column 4 is not UTF-8: save the file in that encoding"),
    ("ftpd --check -bannerfile b", &[],                                                    "/b cannot be read: No such file or directory (os error 2); BannerFile names the file"),
    ("ftpd --check -f c",           &[("c", b"BannerFile=b\n", 0o600)],                     "c:1:12: BannerFile: b cannot be read: the path is not absolute: write it from / on"),
    ("ftpd --check -f c",           &[("c", b"Certificate=/nothing\n", 0o600)],             "/nothing: No such file or directory (os error 2); Certificate names the file"),
    ("ftpproxy --check -f c",       &[("c", b"Targets=*\nServerTLS=require\nServerCA=/nothing\n", 0o600)], "/nothing: No such file or directory (os error 2); ServerCA names the file"),
    ("ftpproxy --check -f c",       &[("c", b"Targets=*\nBindAddress=nosuch0\n", 0o600)],  "there is no interface nosuch0: `ip -brief address` lists them"),
    ("ftpproxy --check -f c",       &[("c", b"Umask=077\nPort=1\n", 0o600)],                "c:1:1: unknown key \"Umask\", which is for metaftpd.conf(5): leave it out"),
    ("ftpproxy --check -f c",       &[("c", b"Targets=*\nBanner=caf\xe9\n", 0o600)],        "c:2:11: this is not UTF-8: save the file in that encoding"),
    ("ftpproxy --check -servers a=192.0.2.1 -user-servers u", &[("u", b"one a\ntw\xff a\n", 0o600)], "u:2:3: this is not UTF-8: save the file in that encoding"),
    ("ftpproxy --check -servers a=192.0.2.1 -user-servers u", &[],                          "/u cannot be read: No such file or directory (os error 2); UserServers names the file"),
    ("ftpuser list -a u",           &[("u", b"a:null:::nobody:/:Idle=\xff\n", 0o600)],      "u:1: user \"a\" cannot log in: settings is not UTF-8: save the file in that encoding"),
    ("ftpuser list -a u",           &[("u", b"nonsense\n", 0o600)],                         "lines that are no valid record: 1; `ftpuser check` points at what is wrong"),
    ("ftpuser check -a u",          &[],                                                    "u: No such file or directory (os error 2); AuthFile, or -a, names the user file, and `ftpuser add` makes it"),
    ("ftpuser check -a .",          &[],                                                    ". is not a regular file; AuthFile, or -a, names one"),
    ("ftpuser check -a link",       &[],                                                    "link is a symbolic link, which is refused: name the file that it leads to"),
    ("ftpuser check -a u",          &[("u", b"", 0o622)],                                   "u has mode 0622, so that others can read or write passwords; remedy: chmod 600 u"),
    ("ftpuser set a Nonsense=1 -a u", &[("u", b"a:null:::nobody:/:\n", 0o600)],             "unknown key \"Nonsense\": metaftpd.conf(5) has all keys"),
    ("ftphash verify m",            &[("m", b"nonsense\n", 0o600)],                         "m: no properly formatted line: it should be what `ftphash sum` prints"),
    ("ftphash verify m",            &[("m", b"d41d8cd98f00b204e9800998ecf8427e  m\nnonsense\n", 0o600)], "improperly formatted lines: 1 (--warn names them)"),
    ("ftphash verify m",            &[],                                                    "m: No such file or directory"),
];

#[test]
fn each_message_says_where_and_what_to_do() {
    for (line, files, expected) in CASES {
        let scratch = Scratch::new();
        symlink("u", scratch.join("link")).unwrap();
        for (name, octets, mode) in files {
            fs::write(scratch.join(name), octets).unwrap();
            tests::scratch::mode(&scratch.join(name), *mode);
        }
        let (program, words) = line.split_once(' ').unwrap();
        let output = Command::new(binaries::path(program))
            .args(words.split(' '))
            .current_dir(scratch.path())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{line}: {output:?}");
        assert!(told.contains(expected), "{line}: {told}");
    }
}

#[test]
fn variables_are_told_with_what_to_do() {
    for (variables, expected) in [
        (
            &["FTPD_QQQ=1"][..],
            "FTPD_QQQ: no setting has this variable: unset it; metaftpd.conf(5) has all",
        ),
        (
            &["FTPD_LISTEN_PORT=21", "FTPD_LISTEN_PORT_FILE=/dev/null"],
            "FTPD_LISTEN_PORT_FILE: Port is already set by FTPD_LISTEN_PORT: unset one of them",
        ),
        (
            &["FTPD_LISTEN_PORT_FILE=/no/such/file"],
            "(os error 2); the variable names the file",
        ),
    ] {
        let told = tests::environment::ftpd(&["--check"], variables);
        let told = String::from_utf8(told.stderr).unwrap();
        assert!(told.contains(expected), "{told}");
    }
}
