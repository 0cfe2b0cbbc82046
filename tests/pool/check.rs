//! What is wrong with the configuration of a pool is said with its place.

use std::process::{Command, Stdio};

use tests::{Scratch, binaries};

/// What `--check` says about these lines; files are made beside them.
fn said(lines: &str, files: &[(&str, &str, u32)]) -> String {
    let scratch = Scratch::new();
    let place = scratch.path().to_str().unwrap();
    for (name, content, mode) in files {
        std::fs::write(scratch.join(name), content).unwrap();
        tests::scratch::mode(&scratch.join(name), *mode);
    }
    let path = scratch.join("p.conf");
    std::fs::write(&path, lines.replace("{scratch}", place)).unwrap();
    tests::scratch::mode(&path, 0o600);
    let output = Command::new(binaries::path("ftpproxy"))
        .arg("-f")
        .arg(&path)
        .arg("--check")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let both = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(both).unwrap();
    assert_eq!(
        output.status.success(),
        text == "configuration is fine\n",
        "{text}"
    );
    text.replace(&format!("{place}/"), "")
}

const TWO: &str = "Servers=one=192.0.2.1,two=192.0.2.2:2121*3\n";

#[test]
fn a_pool_that_is_fine_is_fine() {
    let more =
        "Targets=*.example.org\nServers=one=ftp.example.org,[2001:db8::1]:21\nServerTLS=off\n";
    let files = [
        ("login", "me\nsecret\n", 0o600),
        ("users", "me one two\n", 0o644),
    ];
    for lines in [
        TWO,
        more,
        "Servers=192.0.2.1\nServerProxyProtocol=v2\nHealthInterval=0\n",
    ] {
        assert_eq!(said(lines, &[]), "configuration is fine\n");
    }
    let lines = format!(
        "{TWO}HealthLogin={{scratch}}/login\nUserServers={{scratch}}/users\nDraining=two\n"
    );
    assert_eq!(said(&lines, &files), "configuration is fine\n");
}

#[test]
fn what_does_not_fit_is_said_in_a_sentence() {
    for (lines, sentence) in [
        (
            "HealthUp=4\nTargets=*\n",
            "p.conf:1:10: HealthUp is for a pool: it needs Servers",
        ),
        (
            "UserServers=/x\nTargets=*\n",
            "UserServers is for a pool: it needs Servers",
        ),
        (
            "ServerProxyProtocol=v2\nTargets=*\n",
            "it needs Server or Servers",
        ),
        (
            "Servers=one=192.0.2.1,one=192.0.2.2\n",
            "p.conf:1:9: Servers: two servers are called one",
        ),
        (
            "Servers=one=192.0.2.1*0\n",
            "does not end with a weight from *1 to *100",
        ),
        (
            "Servers=one=0x7f.1\n",
            "is no server, such as one=192.0.2.1:21",
        ),
        (
            "Servers=one=ftp.example.org\n",
            "a name whose addresses no rule of Targets permits",
        ),
        (
            "Servers=one=192.0.2.1\nServer=192.0.2.2\nTargets=192.0.2.2\n",
            "Server",
        ),
        (
            "Servers=one=192.0.2.1\nTransparent=yes\nTargets=192.0.2.2\n",
            "Servers",
        ),
        (
            "Servers=one=192.0.2.1\nUserTargets=alice@192.0.2.1\n",
            "UserServers says who goes to which servers of a pool",
        ),
        (
            "Servers=one=192.0.2.1\nDraining=two\n",
            "p.conf:2:10: Draining names \"two\", which Servers does not",
        ),
        (
            "Servers=one=192.0.2.1\nDraining=ome\n",
            "did you mean \"one\"?",
        ),
        (
            "Servers=one=192.0.2.1\nHealthInterval=0\nHealthLogin=/x\n",
            "HealthLogin needs a HealthInterval",
        ),
        (
            "Servers=one=192.0.2.1\nHealthDown=0\n",
            "p.conf:2:12: HealthDown",
        ),
        (
            "Servers=one=192.0.2.1\nHealtInterval=1\n",
            "did you mean \"HealthInterval\"?",
        ),
        (
            "Servers=one=192.0.2.1\nHealthLogin=/no/such/file\n",
            "HealthLogin: /no/such/file: ",
        ),
        (
            "Servers=one=192.0.2.1\nUserServers=/no/such/file\n",
            "p.conf:2:13: UserServers: /no/such/file cannot be read: ",
        ),
    ] {
        let text = said(lines, &[]);
        assert!(text.contains(sentence), "{lines}{text}");
    }
}

#[test]
fn files_of_a_pool_are_complained_about_with_line_and_column() {
    let users = ("users", "me one\nyou thre\n\u{fc}ber  ome\nme two\n", 0o600);
    let lines = format!("{TWO}UserServers={{scratch}}/users\n");
    let text = said(&lines, &[users]);
    for line in [
        "users:2:5: Servers has no server \"thre\"",
        "2 | you thre",
        "users:3:7: Servers has no server \"ome\", did you mean \"one\"?",
        "users:4:1: \"me\" has another line before this one",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let lines = format!("{TWO}HealthLogin={{scratch}}/login\n");
    for (content, mode, sentence) in [
        (
            "me\nsecret\n",
            0o640,
            "its mode 640 lets others read it: chmod go= it",
        ),
        (
            "me secret\n",
            0o600,
            "it is not two lines, the name of a user and its password",
        ),
    ] {
        let text = said(&lines, &[("login", content, mode)]);
        assert!(
            text.contains(sentence) && !text.contains("secret\n"),
            "{text}"
        );
    }
}
