//! `ftpd` with settings from variables of the environment and no file.

use std::process::{Command, Output};

use crate::binaries;

/// What it says to these words, with these variables, `NAME=VALUE` each.
pub fn ftpd(words: &[&str], variables: &[&str]) -> Output {
    Command::new(binaries::path("ftpd"))
        .args(["-f", "/dev/null"])
        .args(words)
        .envs(variables.iter().map(|one| one.split_once('=').unwrap()))
        .output()
        .unwrap()
}

/// Each variable makes a setting, and a dump says so.
#[track_caller]
pub fn assert_dumped(variables: &[&str]) {
    let dump = ftpd(&["--dump-config"], variables);
    assert!(dump.status.success(), "{dump:?}");
    let text = String::from_utf8(dump.stdout).unwrap();
    for variable in variables {
        let (name, _) = variable.split_once('=').unwrap();
        let mut lines = text.lines();
        let line = lines.find(|line| line.ends_with(&format!("# {name}")));
        assert!(
            line.is_some_and(|line| !line.starts_with('#')),
            "{name}\n{text}"
        );
    }
}
