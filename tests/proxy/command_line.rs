//! The command line of `ftpproxy`: what it refuses to start with, and what it says.

use std::process::{Command, Output, Stdio};

use tests::{Scratch, binaries};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(binaries::path("ftpproxy"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|octets| String::from_utf8_lossy(octets).into_owned())
        .concat()
}

#[test]
fn without_rules_it_says_what_to_configure_and_does_not_start() {
    for arguments in [
        &["-f", "/dev/null"][..],
        &["-f", "/dev/null", "-nodemon", "-port", "0"],
        &["-f", "/dev/null", "--check"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(
            said(&output).contains("Targets says nothing"),
            "{}",
            said(&output)
        );
        assert!(
            said(&output).contains("-targets ftp.example.org"),
            "{}",
            said(&output)
        );
    }
}

#[test]
fn check_tells_what_is_wrong_and_what_is_fine() {
    let scratch = Scratch::new();
    let file = |name: &str, content: &str| {
        let path = scratch.join(name);
        std::fs::write(&path, content).unwrap();
        tests::scratch::mode(&path, 0o600);
        path.to_str().unwrap().to_owned()
    };
    let fine = [
        file(
            "fine.conf",
            "Port=2121\nTargets=*.example.org,192.0.2.0/24:21-2199\n",
        ),
        file(
            "fine.toml",
            "[listen]\nport = 2121\n[servers]\ntargets = [\"ftp.example.org\", \"[2001:db8::1]:990\"]\n",
        ),
    ];
    for path in &fine {
        let output = run(&["-f", path, "--check"]);
        assert_eq!(said(&output), "configuration is fine\n");
        assert!(output.status.success());
    }
    for (name, content, sentence) in [
        (
            "a.conf",
            "Targets=10.0.0.1/8\n",
            "a.conf:1:9: Targets: \"10.0.0.1/8\" has bits behind its prefix",
        ),
        (
            "b.conf",
            "Targets=*\nAuthFile=/x\n",
            "b.conf:2:1: unknown key \"AuthFile\", which is for metaftpd.conf(5): leave it out",
        ),
        (
            "c.conf",
            "Targets=a.example\nServer=b.example\n",
            "c.conf:2:8: Server is b.example:21, which no rule of Targets permits",
        ),
        (
            "server.conf",
            "Targets=10.2.0.0/16\nServer=10.1.1.1\n",
            "server.conf:2:8: Server is 10.1.1.1:21, which no rule of Targets permits",
        ),
        (
            "special.conf",
            "Targets=0.0.0.0/0\nServer=10.1.1.1\n",
            "special.conf:2:8: Server is 10.1.1.1:21, which is private: only a rule of Targets for such a network permits it",
        ),
        (
            "d.conf",
            "Targets=a.example:99999\n",
            "does not end with a port",
        ),
        (
            "e.toml",
            "[servers]\ntargets = \"*\"\n[user.fred]\n",
            "unknown name \"user\"",
        ),
    ] {
        let output = run(&["-f", &file(name, content), "--check"]);
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(said(&output).contains(sentence), "{}", said(&output));
    }
}

#[test]
fn flags_may_begin_with_one_dash_and_go_over_the_file() {
    let output = run(&[
        "-f",
        "/dev/null",
        "-targets",
        "*",
        "-port=2121",
        "-nopasv",
        "--check",
    ]);
    assert_eq!(said(&output), "configuration is fine\n");
    let output = run(&["-f", "/dev/null", "-target", "*"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("did you mean '-targets'?"),
        "{}",
        said(&output)
    );
    for (flag, word) in [("--version", "ftpproxy "), ("-help", "-targets")] {
        let output = run(&[flag]);
        assert!(output.status.success());
        assert!(said(&output).contains(word), "{}", said(&output));
    }
}

#[test]
fn the_shipped_configuration_passes_the_check() {
    let scratch = Scratch::new();
    let shipped =
        std::fs::read_to_string(binaries::root().join("packaging/ftpproxy.conf")).unwrap();
    let place = scratch.join("log");
    let adapted = shipped.replace("/var/log/ftpproxy.log", place.to_str().unwrap());
    assert_ne!(adapted, shipped);
    let copy = scratch.join("ftpproxy.conf");
    std::fs::write(&copy, adapted).unwrap();
    tests::scratch::mode(&copy, 0o600);
    let output = run(&["-f", copy.to_str().unwrap(), "--check"]);
    assert_eq!(said(&output), "configuration is fine\n");
}
