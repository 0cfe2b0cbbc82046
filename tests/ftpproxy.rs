//! `ftpproxy` from outside: it does nothing yet and never says otherwise.

use std::process::{Command, Stdio};

use tests::binaries;

#[test]
fn every_use_but_help_and_version_says_that_nothing_is_relayed() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binaries::path("ftpproxy"));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    for arguments in [
        &[][..],
        &["-port", "2121"],
        &["--port=2121"],
        &["-inetd"],
        &["serve", "-x"],
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let told = "ftpproxy: this version does not relay connections yet\n";
        assert_eq!(output.stderr, told.as_bytes(), "{arguments:?}");
        assert!(output.stdout.is_empty());
    }
    for (argument, word) in [
        ("--version", "ftpproxy "),
        ("-version", "ftpproxy "),
        ("-help", "does not relay"),
    ] {
        let output = run(&[argument]);
        assert!(output.status.success(), "{argument}: {output:?}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains(word), "{argument}: {told}");
    }
}
