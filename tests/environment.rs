//! Settings from variables of the environment: they go over the file and below the flags.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;

use tests::Scratch;
use tests::environment::{assert_dumped, ftpd};

#[test]
fn a_variable_makes_a_setting_and_a_dump_says_so() {
    let variables = ["FTPD_LISTEN_PORT=2121", "FTPD_FILES_CONFINE_HOME=yes"];
    assert_dumped(&variables);
    // A flag goes over it.
    let dump = ftpd(&["--dump-config", "-port", "2122"], &variables);
    assert!(
        String::from_utf8(dump.stdout)
            .unwrap()
            .contains("port = 2122")
    );
}

#[test]
fn a_variable_that_is_no_setting_or_has_a_bad_value_is_an_error() {
    let scratch = Scratch::new();
    let secret = scratch.join("secret");
    fs::write(&secret, "ftp\n").unwrap();
    tests::scratch::mode(&secret, 0o600);
    let file = format!("FTPD_LISTEN_PORT_FILE={}", secret.display());
    for (variable, sentence) in [
        (
            "FTPD_LISTEN_PROT=21",
            "ftpd: FTPD_LISTEN_PROT: no setting has this variable, did you mean FTPD_LISTEN_PORT?\n",
        ),
        (
            "FTPD_LISTEN_PORT=ftp",
            "ftpd: FTPD_LISTEN_PORT: \"ftp\" is not a port number from 0 to 65535\n",
        ),
        (
            &file,
            "ftpd: FTPD_LISTEN_PORT_FILE: \"ftp\" is not a port number from 0 to 65535\n",
        ),
        (
            "FTPD_RUN_INETD=yes",
            "ftpd: FTPD_RUN_INETD: this is only a flag: -inetd\n",
        ),
    ] {
        let told = ftpd(&["--check"], &[variable]);
        assert_eq!(told.status.code(), Some(1), "{told:?}");
        assert_eq!(String::from_utf8(told.stderr).unwrap(), sentence);
    }
    assert!(
        ftpd(&["--dump-config"], &["FTPD_LISTEN_PORT="])
            .status
            .success()
    );
}
