//! What `ftpd` says about its command line and configuration, as a shell or inetd sees it.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Output, Stdio};

use tests::binaries;

fn ftpd() -> Command {
    Command::new(binaries::path("ftpd"))
}

#[expect(clippy::unwrap_used, reason = "what fails here shall end the test")]
fn run(words: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = ftpd().args(words).stdin(Stdio::null()).output().unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_wrong_configuration_is_told_and_ends_with_1() {
    let (status, out, errors) = run(&[
        "--check",
        "-f",
        "/dev/null",
        "-port",
        "65536",
        "-A",
        "session-pam",
    ]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert_eq!(
        errors,
        "ftpd: -port: \"65536\" is not a port number from 0 to 65535\n\
         ftpd: -authmethods: session-pam checks no password: name a method that does beside it\n"
    );
}

#[test]
fn a_charset_that_names_cannot_have_is_told() {
    let (status, _, errors) = run(&[
        "--check",
        "-f",
        "/dev/null",
        "-charset",
        "ISO-2022-JP",
        "-charsetnetworks",
        "10.0.0.0/8=windows-1521",
    ]);
    assert_eq!(status, Some(1));
    assert_eq!(
        errors,
        "ftpd: -charset: the charset \"ISO-2022-JP\" is not for names: what its octets mean depends on those before them\n\
         ftpd: -charsetnetworks: unknown charset \"windows-1521\", did you mean \"windows-1251\"?\n"
    );
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let (status, out, errors) = run(&["-prot", "21"]);
    assert_eq!((status, out.as_str()), (Some(2), ""));
    assert!(errors.starts_with("error: unknown option '-prot', did you mean '-port'?\n"));
}

#[test]
fn help_and_version_go_to_the_standard_output() {
    for flag in ["-?", "-help", "--help", "-h"] {
        let (status, out, errors) = run(&[flag]);
        assert_eq!((status, errors.as_str()), (Some(0), ""));
        assert!(out.contains("--port <PORT>"));
    }
    assert!(run(&["-version"]).1.starts_with("ftpd "));
}

#[test]
fn a_client_of_inetd_reads_nothing_about_the_configuration() {
    for words in [&["-I", "-f", "/no/such.conf"][..], &["-I", "-unknown"]] {
        let (mut client, server) = UnixStream::pair().unwrap();
        let server = || Stdio::from(OwnedFd::from(server.try_clone().unwrap()));
        let mut ftpd = ftpd();
        ftpd.args(words);
        ftpd.stdin(server()).stdout(server()).stderr(server());
        let status = ftpd.status().unwrap();
        drop(ftpd);
        assert!(matches!(status.code(), Some(1 | 2)));
        client.set_nonblocking(true).unwrap();
        let mut told = Vec::new();
        let _ = client.read_to_end(&mut told);
        assert_eq!(String::from_utf8_lossy(&told), "");
    }
}
