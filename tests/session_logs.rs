//! Logs of single sessions: `LogFile` with variables, beside the server's own.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use nix::sys::signal::Signal;
use tests::{Client, Data, Server, Setup, wait};

fn setup(pattern: &str) -> Setup {
    let setup = Setup::new();
    let logs = setup.scratch().join("logs");
    fs::create_dir(&logs).unwrap();
    let line = format!("LogFile={}/{pattern}", logs.display());
    setup.setting(&line)
}

fn log_in(server: &Server, name: &str) -> Client {
    let mut client = server.connect();
    client.expect(&format!("USER {name}"), 331);
    client.expect(&format!("PASS {}", server.login.password), 230);
    client
}

/// Waits until a log has a line with these words.
#[track_caller]
fn has(path: &Path, words: &str) {
    wait::until(&format!("{} has {words}", path.display()), || {
        fs::read_to_string(path).is_ok_and(|text| text.contains(words))
    });
}

#[test]
fn each_user_has_a_log_and_the_servers_own_has_the_rest() {
    let server = setup("$(User)-$(clientip).log")
        .account("bert", "plain", "")
        .start();
    let logs = server.scratch.join("logs");
    let mut stranger = server.connect();
    stranger.expect("USER nobody-at-all", 331);
    stranger.expect("PASS wrong", 530);
    let mut tester = log_in(&server, "tester");
    let mut bert = log_in(&server, "bert");
    tester.upload(Data::Epsv, "mine", b"1");
    bert.upload(Data::Epsv, "yours", b"22");
    // Two of one user write to one file.
    log_in(&server, "BERT").upload(Data::Epsv, "third", b"333");
    let (one, other) = (
        logs.join("tester-127.0.0.1.log"),
        logs.join("bert-127.0.0.1.log"),
    );
    has(&one, "upload of mine");
    has(&other, "upload of yours");
    has(&other, "upload of third");
    let (text, theirs) = (
        fs::read_to_string(&one).unwrap(),
        fs::read_to_string(&other).unwrap(),
    );
    assert!(
        text.contains("login of 'tester'") && !text.contains("bert"),
        "{text}"
    );
    assert!(
        theirs.contains("login of 'bert'") && !theirs.contains("tester"),
        "{theirs}"
    );
    assert_eq!(
        fs::metadata(&one).unwrap().permissions().mode() & 0o777,
        0o600
    );
    server
        .log
        .line_with(&["login of 'nobody-at-all'", "failed"]);
    let text = server.log.text();
    assert!(
        !text.contains("upload of mine") && !text.contains("login of 'bert'"),
        "{text}"
    );
    assert_eq!(fs::read_dir(&logs).unwrap().count(), 2);
    // After a rename they go on in new files.
    fs::rename(&one, logs.join("old")).unwrap();
    server.process().signal(Signal::SIGUSR1);
    wait::until("there is a new file", || one.exists());
    tester.upload(Data::Epsv, "later", b"1");
    has(&one, "upload of later");
    assert!(
        !fs::read_to_string(logs.join("old"))
            .unwrap()
            .contains("upload of later")
    );
    // Nobody's again.
    tester.expect("REIN", 220);
    tester.expect("USER tester", 331);
    tester.expect("PASS wrong", 530);
    server.log.line_with(&["login of 'tester'", "failed"]);
}

#[test]
fn no_name_leads_out_of_the_directory() {
    let server = setup("$(User)").account("..evil", "plain", "").start();
    log_in(&server, "..evil").upload(Data::Epsv, "file", b"1");
    has(&server.scratch.join("logs/%2E.evil"), "upload of file");
}

#[test]
fn a_users_own_setting_names_a_log() {
    let setup = Setup::new();
    let place = setup.scratch().display().to_string();
    let server = setup
        .account("bert", "plain", &format!("LogFile={place}/of-bert"))
        .start();
    log_in(&server, "tester").upload(Data::Epsv, "mine", b"1");
    log_in(&server, "bert").upload(Data::Epsv, "yours", b"1");
    has(&server.scratch.join("of-bert"), "upload of yours");
    server.log.line_with(&["upload of mine"]);
    assert!(!server.log.text().contains("upload of yours"));
}

#[test]
fn nothing_is_written_where_a_link_leads_and_the_server_says_so() {
    let server = setup("$(User)").start();
    let victim = server.scratch.join("victim");
    fs::write(&victim, "").unwrap();
    symlink(&victim, server.scratch.join("logs/tester")).unwrap();
    log_in(&server, "tester").upload(Data::Epsv, "mine", b"1");
    server
        .log
        .line_with(&["log ", "logs/tester", "symbolic link"]);
    server.log.line_with(&["upload of mine"]);
    assert_eq!(fs::read(&victim).unwrap(), b"");
}

#[test]
fn a_variable_that_is_none_is_refused_at_the_start() {
    setup("$(Usr)").refused("\"$(Usr)\" is no variable: $(User), $(RealUser) and $(ClientIP) are");
}
