//! Keys of MetaFTPd whose effect no other test shows: the text of the reply to a login, syslog in the place of a file, and
//! passwords in the log, of which there are none.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tests::{Data, Scratch, Server, Setup, binaries, wait};

/// A syslog daemon of the test's own.
struct Syslog {
    socket: UnixDatagram,
    line: String,
}

impl Syslog {
    fn listen(setup: &Setup) -> Syslog {
        let path = setup.scratch().join("syslog");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(wait::PATIENCE)).unwrap();
        let line = format!("SyslogSocket={}", path.display());
        Syslog { socket, line }
    }

    /// Waits for an entry that holds these words.
    fn hears(&self, words: &str) -> String {
        let mut buffer = [0; 8192];
        loop {
            let count = self.socket.recv(&mut buffer).unwrap();
            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
            if text.contains(words) {
                return text;
            }
        }
    }
}

fn upload(server: &Server, user: &str, name: &str) {
    let mut client = server.connect();
    client.expect(&format!("USER {user}"), 331);
    client.expect(&format!("PASS {}", server.login.password), 230);
    client.upload(Data::Epsv, name, b"content");
    client.expect("QUIT", 221);
}

#[test]
fn a_login_is_answered_by_the_prompt() {
    let server = Setup::new()
        .setting(r"UserPrompt=Good day.\n226 is not the end.\nHave fun")
        .account("short", "plain", "UserPrompt=Welcome!")
        .account("plain", "plain", "UserPrompt=")
        .start();
    for (user, expected) in [
        (
            "tester",
            &["Good day.", " 226 is not the end.", "Have fun"][..],
        ),
        ("short", &["Welcome!"]),
        ("plain", &["Login successful."]),
    ] {
        let mut client = server.connect();
        client.expect(&format!("USER {user}"), 331);
        let reply = client.expect(&format!("PASS {}", server.login.password), 230);
        assert_eq!(reply.lines, expected);
        client.expect("NOOP", 200);
    }
}

#[test]
fn sessions_are_told_to_syslog_alone() {
    let setup = Setup::new()
        .setting("LogFile=SYSLOG")
        .setting("ServLogFile=STDERR");
    let syslog = Syslog::listen(&setup);
    let server = setup.setting(&syslog.line).start();
    upload(&server, "tester", "mine");
    let text = syslog.hears("upload of mine");
    assert!(text.starts_with("<94>1 "), "{text}");
    // What is of no session stays where it was.
    let mut stranger = server.connect();
    stranger.expect("USER nobody-at-all", 331);
    stranger.expect("PASS wrong", 530);
    let text = server.log.line_with(&["nobody-at-all"]);
    assert!(!server.log.text().contains("upload of mine"), "{text}");
}

#[test]
fn both_logs_are_syslog_under_inetd_and_the_client_hears_nothing_of_it() {
    let setup = Setup::new().setting("LogFile=SYSLOG");
    let syslog = Syslog::listen(&setup);
    let (server, mut client) = setup.setting(&syslog.line).inetd_for_client();
    client.expect("USER tester", 331);
    client.expect(&format!("PASS {}", server.login.password), 230);
    client.upload(Data::Epsv, "mine", b"content");
    syslog.hears("login of 'tester'");
    syslog.hears("upload of mine");
}

#[test]
fn one_users_syslog_is_the_servers_log_where_that_has_none() {
    let server = Setup::new()
        .account("ann", "plain", "LogFile=SYSLOG")
        .start();
    upload(&server, "ann", "hers");
    server.log.line_with(&["upload of hers"]);
}

#[test]
fn no_password_is_logged_whatever_the_key_says() {
    let setup = Setup::new()
        .setting("LogPasswords=yes")
        .setting("LogLevel=commands")
        .account("ann", "plain", "LogPasswords=yes");
    let server = setup.start();
    upload(&server, "ann", "hers");
    upload(&server, "tester", "mine");
    server.log.line_with(&["upload of mine"]);
    let text = server.log.text();
    assert!(
        text.contains("PASS") && !text.contains(&server.login.password),
        "{text}"
    );
    let scratch = Scratch::new();
    let file = scratch.join("ftpd.conf");
    fs::write(&file, "LogPasswords\n").unwrap();
    let told = run("ftpd", &["--dump-config", "-f", file.to_str().unwrap()]);
    assert!(
        told.1.contains("LogPasswords is without effect"),
        "{}",
        told.1
    );
}

/// What a program says, and what it complains of.
fn run(program: &str, words: &[&str]) -> (String, String) {
    let output = Command::new(binaries::path(program))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |octets| String::from_utf8(octets).unwrap();
    (text(output.stdout), text(output.stderr))
}

#[test]
fn users_are_added_by_the_words_of_its_readme() {
    let scratch = Scratch::new();
    let users: PathBuf = scratch.join("users");
    let file = users.to_str().unwrap();
    let home = scratch.directory("home");
    let home = home.to_str().unwrap();
    for kind in ["plaintext", "md5", "sha1", "sha256", "sha512", "whirl"] {
        run(
            "ftpd",
            &[
                "-user",
                "add",
                kind,
                "correct-horse",
                home,
                "-t",
                kind,
                "-a",
                file,
                "Idle=300",
            ],
        );
    }
    // Its own example, with the option that it does not have.
    run(
        "ftpd",
        &[
            "-user",
            "add",
            "anonymous",
            "-t",
            "null",
            "-h",
            home,
            "-a",
            file,
        ],
    );
    let names = |listed: String| -> Vec<String> {
        let names = listed
            .lines()
            .map(|line| line.split('\t').next().unwrap().to_owned());
        names.collect()
    };
    let (listed, errors) = run("ftpd", &["-user", "list", "-a", file]);
    assert_eq!(
        names(listed),
        [
            "plaintext",
            "md5",
            "sha1",
            "sha256",
            "sha512",
            "whirl",
            "anonymous"
        ],
        "{errors}"
    );
    // Whoever is there already is replaced.
    run(
        "ftpd",
        &[
            "-user",
            "add",
            "md5",
            "another-horse",
            home,
            "-t",
            "sha512",
            "-a",
            file,
        ],
    );
    run("ftpd", &["-user", "del", "plaintext", "-a", file]);
    let (listed, _) = run("ftpd", &["-user", "list", "-a", file]);
    assert!(listed.contains("md5\tsha-512\t"), "{listed}");
    assert_eq!(
        names(listed),
        ["md5", "sha1", "sha256", "sha512", "whirl", "anonymous"]
    );
}
