//! `ftpuser` from outside: what it writes, what it refuses, and that nothing is lost when many write at once.
#![expect(clippy::unwrap_used, reason = "what fails here shall end the test")]

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};
use tests::binaries;

/// A user file of the test's own.
struct Users {
    directory: tempfile::TempDir,
}

impl Users {
    fn new(text: &str) -> Users {
        let users = Users {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::write(users.file(), text).unwrap();
        users
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("users")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// Runs one sub-command on the file. Words are separated by one space each.
    fn run(&self, line: &str, stdin: &str) -> Output {
        let mut child = Command::new(binaries::path("ftpuser"))
            .args(line.split(' '))
            .arg("-a")
            .arg(self.file())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not want it closes its end early.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn succeed(&self, line: &str, stdin: &str) -> Output {
        let output = self.run(line, stdin);
        assert!(output.status.success(), "{line}: {output:?}");
        output
    }

    /// Expects an exit status and a word of the message, and that the file stays as it is.
    fn fail(&self, line: &str, code: i32, message: &str) {
        let before = self.text();
        let output = self.run(line, "");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {told}");
        assert!(told.contains(message), "{line}: {told}");
        assert_eq!(self.text(), before, "{line}");
    }

    /// Runs one sub-command on a terminal, with these lines typed.
    fn on_terminal(&self, line: &str, typed: &str) -> Output {
        let command = format!(
            "{} {line} -a {}",
            binaries::path("ftpuser").display(),
            self.file().display()
        );
        let mut child = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(typed.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    }

    /// Whether the user's line is a SHA-256 of MetaFTPd's kind of this password.
    fn has_sha256(&self, name: &str, password: &str) -> bool {
        let text = self.text();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name}:")))
            .unwrap();
        let fields: Vec<_> = line.split(':').collect();
        let digest = Sha256::digest(format!("{name}{}{password}", fields[2]));
        let hex: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        fields[1] == "sha-256" && fields[2].len() == 40 && fields[3] == hex
    }
}

#[test]
fn a_new_user_has_argon2id_and_the_file_is_private() {
    let users = Users::new("");
    fs::remove_file(users.file()).unwrap();
    users.succeed(
        "add fred --password-stdin --home /tmp -u nobody ChHome=yes Idle=60",
        "hunter2\n",
    );
    let text = users.text();
    assert!(
        text.starts_with("fred:argon2id::$argon2id$v=19$m=32768,t=3,p=1$"),
        "{text}"
    );
    assert!(
        text.ends_with(":nobody:/tmp:ChHome=yes Idle=60\n"),
        "{text}"
    );
    assert!(!text.contains("hunter2"));
    let mode = fs::metadata(users.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn a_password_comes_from_stdin_from_a_file_or_the_terminal() {
    let users = Users::new("");
    users.succeed(
        "add fred -t sha256 --password-stdin --home /tmp -u nobody",
        "from stdin\nmore",
    );
    assert!(users.has_sha256("fred", "from stdin"));
    let file = users.directory.path().join("password");
    fs::write(&file, "from:file\r\n").unwrap();
    users.succeed(
        &format!("passwd FRED -t sha-256 --password-file {}", file.display()),
        "",
    );
    assert!(users.has_sha256("fred", "from:file"));
    let output = users.on_terminal("passwd fred -t sha-256", "typed in\ntyped in\n");
    assert!(output.status.success(), "{output:?}");
    assert!(users.has_sha256("fred", "typed in"));
    let output = users.on_terminal("passwd fred -t sha-256", "typed in\ntyped on\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(users.has_sha256("fred", "typed in"));
}

#[test]
fn root_as_real_user_is_taken_with_a_warning() {
    let users = Users::new("");
    let never = "type null is not for that";
    users.fail("add admin -t null --real-user root --home /tmp", 1, never);
    let line = "add admin --real-user root --home /tmp --password-stdin";
    let output = users.succeed(line, "correct horse\n");
    assert!(users.text().ends_with(":root:/tmp:\n"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("warning: real user \"root\" is root"),
        "{said}"
    );
}

#[test]
fn the_form_of_metaftpd_works_with_a_warning() {
    let users = Users::new("");
    let output = users.succeed("add fred hunter2 /tmp -t sha-256 -u nobody", "");
    assert!(users.has_sha256("fred", "hunter2"));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains("list of processes") && told.contains("argon2id"),
        "{told}"
    );
    assert!(users.text().ends_with(":nobody:/tmp:\n"));
}

#[test]
fn anonymous_needs_no_password() {
    let users = Users::new("");
    users.succeed("add anonymous -t null --home /tmp -u nobody", "");
    assert_eq!(users.text(), "anonymous:null:::nobody:/tmp:\n");
    users.fail("add other -t null /tmp -u nobody", 2, "--home");
    users.fail("add other -t null --password-stdin", 2, "no password");
}

#[test]
fn a_user_is_replaced_only_on_request_and_deleted_as_a_whole() {
    let users = Users::new("# kept\nFred:null:::nobody:/tmp:\n");
    users.fail("add fred pw /tmp -u nobody", 1, "exists already");
    users.succeed("add fred -t null --home / -u nobody --replace", "");
    assert_eq!(users.text(), "# kept\nfred:null:::nobody:/:\n");
    users.fail("del bob", 1, "no user bob");
    users.fail("passwd bob --password-stdin", 1, "no user bob");
    users.succeed("del FRED", "");
    assert_eq!(users.text(), "# kept\n");
}

#[test]
fn nothing_that_is_not_a_user_gets_into_the_file() {
    let users = Users::new("bob:null:::nobody:/tmp:\n");
    for (line, code, message) in [
        ("add a:null pw /tmp -u nobody", 1, "':'"),
        ("add a\nb pw /tmp -u nobody", 1, "control character"),
        ("add .. pw /tmp -u nobody", 1, "'..'"),
        ("add a/b pw /tmp -u nobody", 1, "'/'"),
        ("add #a pw /tmp -u nobody", 1, "'#'"),
        ("add a pw /tmp:x -u nobody", 1, "':'"),
        (
            "add a pw /tmp\nroot:null:::nobody:/: -u nobody",
            1,
            "home holds",
        ),
        ("add a pw tmp -u nobody", 1, "does not start with '/'"),
        ("add a p:w /tmp -t plain -u nobody", 1, "':'"),
        ("add a p\nw /tmp -u nobody", 1, "line break"),
        (
            "add a --password-stdin --home /tmp -u nobody",
            1,
            "password is empty",
        ),
        ("add a pw /tmp -u no-such-user", 1, "no real user"),
        (
            "add a pw /tmp -u nobody NoSuchSetting=1",
            2,
            "NoSuchSetting",
        ),
        (
            "add a pw /tmp -u nobody -t jh-512",
            2,
            "jh-512 are not supported",
        ),
        ("add a pw /tmp x -u nobody", 2, "too many words"),
        ("add a", 2, "--password-stdin"),
        ("passwd bob", 2, "--password-stdin"),
        ("frobnicate", 2, "error"),
    ] {
        users.fail(line, code, message);
    }
    let long = format!("add {} pw /tmp -u nobody", "x".repeat(256));
    users.fail(&long, 1, "255");
}

#[test]
fn the_list_shows_users_in_three_forms_and_never_a_secret() {
    let users = Users::new(
        "fred:plain::hunter2:nobody:/srv/f:Idle=5 ChHome=yes\nann:null:::daemon:/srv/\u{e4}\"\\a:\n",
    );
    let tabs = users.succeed("list", "").stdout;
    let tabs = String::from_utf8(tabs).unwrap();
    assert_eq!(
        tabs,
        "fred\tplain\tnobody\t/srv/f\tIdle=5 ChHome=yes\nann\tnull\tdaemon\t/srv/\u{e4}\"\\a\t\n"
    );
    let json = String::from_utf8(users.succeed("list --json", "").stdout).unwrap();
    for part in [
        r#""name": "fred""#,
        r#""real_user": "daemon""#,
        r#""home": "/srv/ä\"\\a""#,
        r#""Idle=5","#,
    ] {
        assert!(json.contains(part), "{json}");
    }
    let table = String::from_utf8(users.on_terminal("list", "").stdout).unwrap();
    assert!(
        table.contains("real user") && table.contains("/srv/f"),
        "{table}"
    );
    assert!(![tabs, json, table].concat().contains("hunter2"));
}

#[test]
fn the_list_names_the_lines_that_are_no_user() {
    let users = Users::new("jim:jh-512:00:00:nobody:/:\nfred:null:::nobody:/:\ncut:plain:\n");
    let output = users.run("list", "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"fred\tnull\tnobody\t/\t\n");
    let told = String::from_utf8(output.stderr).unwrap();
    let file = users.file();
    assert!(
        told.contains(&format!("{}:1: user \"jim\"", file.display())),
        "{told}"
    );
    assert!(told.contains("jh-512") && told.contains(":3: "), "{told}");
}

#[test]
fn a_closed_pipe_is_success_and_a_full_disk_is_not() {
    let users = Users::new("fred:null:::nobody:/:\n");
    let list = || {
        let mut command = Command::new(binaries::path("ftpuser"));
        command
            .args(["list", "-a"])
            .arg(users.file())
            .stderr(Stdio::null());
        command
    };
    let (reader, writer) = nix::unistd::pipe().unwrap();
    drop(reader);
    assert!(list().stdout(writer).status().unwrap().success());
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(list().stdout(full).status().unwrap().code(), Some(1));
}

#[test]
fn eight_editors_at_once_lose_nothing() {
    const EACH: usize = 20;
    let start: String = (0..8)
        .map(|n| format!("old{n}:null:::nobody:/:\nkept{n}:null:::nobody:/:\n"))
        .collect();
    let users = Users::new(&start);
    std::thread::scope(|scope| {
        for editor in 0..8 {
            let users = &users;
            scope.spawn(move || {
                for number in 0..EACH {
                    users.succeed(
                        &format!("add new{editor}x{number} -t null --home / -u nobody"),
                        "",
                    );
                }
                users.succeed(&format!("del old{editor}"), "");
                users.succeed(
                    &format!("passwd kept{editor} -t plain --password-stdin"),
                    "pw\n",
                );
            });
        }
    });
    let text = users.text();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let mut expected: Vec<_> = (0..8)
        .flat_map(|editor| (0..EACH).map(move |n| format!("new{editor}x{n}:null:::nobody:/:")))
        .chain((0..8).map(|editor| format!("kept{editor}:plain::pw:nobody:/:")))
        .collect();
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
    assert_eq!(fs::read_dir(users.directory.path()).unwrap().count(), 1);
}

#[test]
fn an_editor_that_dies_while_writing_changes_nothing() {
    let start: String = (0..200)
        .map(|n| format!("user{n}:null:::nobody:/:\n"))
        .collect();
    let users = Users::new(&start);
    // The limit is 1 KiB: the kernel kills the program in the middle of the new file.
    let killed = Command::new("bash")
        .args(["-c", "ulimit -c 0 -f 1; exec \"$@\"", "bash"])
        .arg(binaries::path("ftpuser"))
        .args([
            "add", "fred", "-t", "null", "--home", "/", "-u", "nobody", "-a",
        ])
        .arg(users.file())
        .status()
        .unwrap();
    assert!(!killed.success());
    assert_eq!(users.text(), start);
    users.succeed("add fred -t null --home / -u nobody", "");
    assert_eq!(users.text(), format!("{start}fred:null:::nobody:/:\n"));
    assert_eq!(fs::read_dir(users.directory.path()).unwrap().count(), 1);
}

const FRED: &str = "Fred:plain::pw:nobody:/srv:idle=5 Odd=1\nbob:broken\n";

#[test]
fn what_a_user_may_is_set_and_unset() {
    let users = Users::new(FRED);
    let entry = |settings: &str| format!("Fred:plain::pw:nobody:/srv:{settings}\nbob:broken\n");
    for (line, settings) in [
        ("set fred Idle=9 Umask=027", "Odd=1 Idle=9 Umask=027"),
        ("set FRED --unset idle --unset Umask", "Odd=1"),
        (
            "set fred --disable --expires 2027-01-31",
            "Odd=1 Expires=2027-01-31 Enabled=no",
        ),
        (
            "set fred --enable --expires 2028-01-31",
            "Odd=1 Expires=2028-01-31",
        ),
        (
            "set fred --allow-from 192.0.2.0/24,::1 --login-hours Mon-Fri/08:00-18:00,Sat --unset Expires",
            "Odd=1 AllowedNetworks=192.0.2.0/24,::1 LoginHours=Mon-Fri/08:00-18:00,Sat",
        ),
        (
            "set fred --home /tmp --unset AllowedNetworks --unset LoginHours",
            "Odd=1",
        ),
    ] {
        users.succeed(line, "");
        let expected = entry(settings);
        let text = users.text().replace(":/tmp:", ":/srv:");
        assert_eq!(text, expected, "{line}");
    }
    assert!(users.text().contains(":nobody:/tmp:"), "{}", users.text());
    users.succeed("set fred --real-user daemon", "");
    assert!(users.text().contains(":daemon:/tmp:"), "{}", users.text());
}

#[test]
fn what_cannot_be_set_is_refused() {
    let users = Users::new(FRED);
    for (line, code, message) in [
        ("set fred", 2, "nothing to set"),
        ("set ann Idle=5", 1, "no user ann"),
        ("set bob Idle=5", 1, "fewer than six fields"),
        ("set fred Idle=soon", 2, "is not a time"),
        ("set fred Nonsense=5", 2, "unknown key"),
        ("set fred Port=5", 2, "a setting of the server"),
        ("set fred password", 2, "is not Key=Value"),
        ("set fred --unset Nonsense", 2, "unknown key"),
        ("set fred --expires soon", 2, "is not a day"),
        (
            "set fred --allow-from 192.0.2.1/24",
            2,
            "bits behind its prefix",
        ),
        ("set fred --login-hours never", 2, "is not days and times"),
        ("set fred --enable --disable", 2, "cannot be used with"),
        ("set fred --home srv", 1, "does not start with '/'"),
        (
            "add new -t null -u nobody --home /tmp --expires soon",
            2,
            "is not a day",
        ),
    ] {
        users.fail(line, code, message);
    }
}

#[test]
fn a_new_user_can_have_rules() {
    let users = Users::new("");
    users.succeed(
        "add new -t null -u nobody --home /tmp --disable --expires 2027-01-31 Idle=5",
        "",
    );
    assert_eq!(
        users.text(),
        "new:null:::nobody:/tmp:Idle=5 Expires=2027-01-31 Enabled=no\n"
    );
}

#[test]
fn hashes_of_crypt_are_taken_over_as_they_are() {
    let users = Users::new("");
    let hash = "$1$N9nC60I9$KeBmCD9jmIv8S143pVJrf1";
    users.succeed(
        "add fred -t crypt --password-stdin -u nobody --home /tmp",
        &format!("{hash}\n"),
    );
    assert_eq!(users.text(), format!("fred:crypt::{hash}:nobody:/tmp:\n"));
    users.fail("passwd fred -t crypt", 2, "--password-stdin");
    let told = users.run("passwd fred -t crypt --password-stdin", "hunter2\n");
    assert_eq!(told.status.code(), Some(1));
    let told = String::from_utf8(told.stderr).unwrap();
    assert!(told.contains("not a hash of crypt(3)"), "{told}");
}
