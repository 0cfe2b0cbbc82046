//! `ftpuser` from outside: what it writes, what it refuses, and that nothing is lost when many write at once.
#![expect(clippy::unwrap_used, reason = "what fails here shall end the test")]

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};
use tests::fed::fed;
use tests::{binaries, require};

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
        let mut command = Command::new(binaries::path("ftpuser"));
        command.args(line.split(' ')).arg("-a").arg(self.file());
        fed(&mut command, stdin)
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
        let words = ["-qec", &command, "/dev/null"];
        fed(Command::new("script").args(words), typed)
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
            "jh-512 log in, but no new ones are made",
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
    let users = Users::new("jim:crc32:00:00:nobody:/:\nfred:null:::nobody:/:\ncut:plain:\n");
    let output = users.run("list", "");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stdout, b"fred\tnull\tnobody\t/\t\n");
    let told = String::from_utf8(output.stderr).unwrap();
    let file = users.file();
    assert!(
        told.contains(&format!("{}:1: user \"jim\"", file.display())),
        "{told}"
    );
    assert!(told.contains("crc32") && told.contains(":3: "), "{told}");
}

#[test]
fn a_closed_pipe_and_a_full_disk_are_told() {
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
    assert_eq!(list().stdout(writer).status().unwrap().code(), Some(1));
    let full = File::options().write(true).open("/dev/full").unwrap();
    assert_eq!(list().stdout(full).status().unwrap().code(), Some(1));
}

#[test]
fn eight_editors_at_once_lose_nothing() {
    eight_editors(20);
}

#[test]
#[ignore = "takes minutes; make soak runs it"]
fn eight_editors_with_a_thousand_changes_each_lose_nothing() {
    eight_editors(1000);
}

fn eight_editors(each: usize) {
    let start: String = (0..8)
        .map(|n| format!("old{n}:null:::nobody:/:\nkept{n}:null:::nobody:/:\n"))
        .collect();
    let users = Users::new(&start);
    std::thread::scope(|scope| {
        for editor in 0..8 {
            let users = &users;
            scope.spawn(move || {
                for number in 0..each {
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
        .flat_map(|editor| (0..each).map(move |n| format!("new{editor}x{n}:null:::nobody:/:")))
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

/// Runs `add` under strace with a fault in one occurrence of a call; whether it came to that.
fn add_with_fault(users: &Users, call: &str, fault: &str, occurrence: usize) -> bool {
    let trace = users.directory.path().join("trace");
    let output = Command::new("strace")
        .args(["-f", "-o", trace.to_str().unwrap(), "-e"])
        .arg(format!("trace={call}"))
        .arg("-e")
        .arg(format!("inject={call}:{fault}:when={occurrence}"))
        .arg(binaries::path("ftpuser"))
        .args([
            "add", "fred", "-t", "null", "--home", "/", "-u", "nobody", "-a",
        ])
        .arg(users.file())
        .output()
        .unwrap();
    let trace = fs::read_to_string(trace).unwrap();
    let hurt = trace.contains("(INJECTED)") || trace.contains("killed by SIGKILL");
    assert!(
        hurt || output.status.success(),
        "{call} {fault} {occurrence}: {output:?}"
    );
    hurt
}

#[test]
fn a_full_disk_or_a_kill_at_any_step_leaves_the_old_file_or_the_new_one() {
    if !require::programs(&["strace"]) {
        return;
    }
    let old = "ann:null:::nobody:/:\n";
    let new = format!("{old}fred:null:::nobody:/:\n");
    let mut faults = 0;
    for fault in ["error=ENOSPC", "signal=KILL"] {
        for call in ["write", "fchmod", "fsync", "renameat", "unlinkat", "flock"] {
            for occurrence in 1.. {
                let users = Users::new(old);
                if !add_with_fault(&users, call, fault, occurrence) {
                    assert_eq!(users.text(), new);
                    assert!(occurrence > 1, "{call} is not called");
                    break;
                }
                faults += 1;
                let left = users.text();
                assert!(
                    left == old || left == new,
                    "{call} {fault} {occurrence}: {left}"
                );
                // Nothing that the fault left behind is in the way of the next one.
                users.succeed("add bob -t null --home / -u nobody", "");
                assert_eq!(users.text(), format!("{left}bob:null:::nobody:/:\n"));
            }
        }
    }
    assert!(faults >= 12, "{faults}");
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
        ("set fred", 2, "nothing to set: say Key=Value"),
        ("set ann Idle=5", 1, "no user ann in "),
        ("set ferd Idle=5", 1, "users, did you mean \"Fred\"?"),
        ("set bob Idle=5", 1, "fewer than six fields"),
        ("set fred Idle=soon", 2, "is not a time"),
        ("set fred Nonsense=5", 2, "unknown key"),
        ("set fred Port=5", 2, "a setting of the server"),
        ("set fred password", 2, "is not Key=Value"),
        ("set fred --unset Nonsense", 2, "unknown key"),
        ("set fred --unset Idel", 2, "did you mean \"Idle\"?"),
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

const CRYPT: &str = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/";

/// A file with another program's users beside the user file.
fn source(users: &Users, text: &str) -> String {
    let path = users.directory.path().join("source");
    fs::write(&path, text.replace("HASH", CRYPT)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn users_of_other_programs_are_taken_over() {
    let home = "/tmp";
    for (form, line, options, expected) in [
        (
            "htpasswd",
            "fred:HASH",
            "-u nobody --home /tmp/{name}",
            "nobody:/tmp/fred:",
        ),
        (
            "vsftpd",
            "fred:HASH:",
            "-u nobody --home /tmp",
            "nobody:/tmp:",
        ),
        (
            "proftpd",
            "fred:HASH:65534:65534::/tmp:/bin/false",
            "",
            "nobody:/tmp:",
        ),
        (
            "passwd",
            "fred:HASH:65534:65534::/tmp:/bin/sh",
            "-u nobody",
            "nobody:/tmp:",
        ),
        (
            "pure-ftpd",
            "fred:HASH:65534:65534::/tmp/./:1024:::::::::::",
            "",
            "nobody:/tmp:ChHome=yes UploadRate=1024B/s",
        ),
        (
            "metaftpd",
            "fred:crypt::HASH:nobody:/tmp:Idle=5",
            "",
            "nobody:/tmp:Idle=5",
        ),
    ] {
        assert!(std::path::Path::new(home).is_dir());
        let users = Users::new("ann:plain::pw:nobody:/tmp:\n");
        let source = source(&users, &format!("# a comment\n\n{line}\r\n"));
        let line = format!("import --from {form} {source} {options}");
        let told = users.succeed(line.trim_end(), "");
        assert_eq!(told.stdout, b"imported 1 user\n", "{form}");
        let expected = format!("ann:plain::pw:nobody:/tmp:\nfred:crypt::{CRYPT}:{expected}\n");
        assert_eq!(users.text(), expected, "{form}");
    }
}

#[test]
fn a_line_that_cannot_be_taken_over_keeps_all_others_out() {
    let users = Users::new("");
    let source = source(&users, "ann:HASH\njoe:$apr1$x$y\nlocked:!\nAnn:HASH\n");
    let line = format!("import --from htpasswd {source} -u nobody --home /tmp");
    users.fail(&line, 1, ":2: user \"joe\": secret is wrong: not a hash");
    users.fail(
        &line,
        1,
        ":4: user \"Ann\": another line has this name already",
    );
    users.fail(
        &line,
        1,
        "2 lines cannot be taken over, so nothing was imported",
    );
    users.fail(
        &format!("import --from htpasswd {source} --home /tmp"),
        1,
        "--real-user USER",
    );
    users.fail(
        &format!("import --from htpasswd {source} -u nobody"),
        1,
        "--home DIR",
    );
    let told = users.succeed(&format!("{line} --skip-bad --dry-run"), "");
    let summary = "would import 1 user, left out 1 without a password, left out 2 bad lines\n";
    assert_eq!(String::from_utf8_lossy(&told.stdout), summary);
    assert_eq!(users.text(), "");
    users.succeed(&format!("{line} --skip-bad"), "");
    assert!(
        users.text().starts_with("ann:crypt::$6$"),
        "{}",
        users.text()
    );
    users.fail(&format!("{line} --skip-bad"), 1, "; --replace replaces");
    users.succeed(&format!("{line} --skip-bad --replace"), "");
    assert_eq!(users.text().lines().count(), 1);
}

#[test]
fn what_is_exported_can_be_imported() {
    let text = format!(
        "ann:crypt::{CRYPT}:nobody:/tmp:\njoe:argon2id::x:nobody:/tmp:\nbob:plain::pw:nobody:/tmp:Idle=5\n"
    );
    let users = Users::new(&text);
    let told = |form: &str| {
        let output = users.run(&format!("export --to {form}"), "");
        let text = |octets| String::from_utf8(octets).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (status, out, errors) = told("htpasswd");
    assert_eq!((status, out), (Some(1), format!("ann:{CRYPT}\n")));
    assert!(
        errors.contains(":3: user \"bob\": other programs do not know passwords of type plain"),
        "{errors}"
    );
    assert!(errors.ends_with("users left out: 2\n"), "{errors}");
    let (status, out, _) = told("metaftpd");
    assert_eq!(
        (status, out.as_str()),
        (Some(1), "bob:plain::pw:nobody:/tmp:Idle=5\n")
    );
    let (_, out, _) = told("passwd");
    let again = Users::new("");
    let source = source(&again, &out);
    again.succeed(&format!("import --from proftpd {source}"), "");
    assert_eq!(again.text(), text.split_inclusive('\n').next().unwrap());
}

#[test]
fn one_user_is_shown_and_switched_off_and_on() {
    let users = Users::new("Fred:plain::geheim:nobody:/tmp:Idle=5\n");
    let shown = users.succeed("show fred", "");
    let expected = "name       Fred\ntype       plain\nreal user  nobody\nhome       /tmp\nsettings   Idle=5\n";
    assert_eq!(String::from_utf8_lossy(&shown.stdout), expected);
    users.succeed("disable fred", "");
    assert_eq!(
        users.text(),
        "Fred:plain::geheim:nobody:/tmp:Idle=5 Enabled=no\n"
    );
    let shown: serde_json::Value =
        serde_json::from_slice(&users.succeed("show fred --json", "").stdout).unwrap();
    assert_eq!(
        shown["settings"],
        serde_json::json!(["Idle=5", "Enabled=no"])
    );
    users.succeed("disable fred", "");
    users.succeed("enable fred", "");
    assert_eq!(users.text(), "Fred:plain::geheim:nobody:/tmp:Idle=5\n");
    users.fail("show ann", 1, "no user ann");
    users.fail("disable ann", 1, "no user ann");
}

#[test]
fn a_check_tells_who_cannot_log_in_and_what_is_kept_badly() {
    let good = format!("anonymous:null:::nobody:/tmp:\nann:crypt::{CRYPT}:nobody:/tmp:\n");
    let users = Users::new(&good);
    let mode = |mode| fs::set_permissions(users.file(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    assert_eq!(
        users.succeed("check", "").stdout,
        b"users: 2, problems: 0\n"
    );
    let bad = "ann:crypt::x:nobody:/tmp:\njoe:md5:a:00000000000000000000000000000000:nobody:/tmp:Idel=5\n\
               eve:null:::no-such-user:/no/such/home:\nnonsense\njil:jh-224:a:00000000000000000000000000000000000000000000000000000000:nobody:/tmp:\n\
               kim:challenge::pw:nobody:/tmp:idle=5 Idle=6\n";
    fs::write(users.file(), format!("{good}{bad}")).unwrap();
    let output = users.run("check", "");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stdout).unwrap();
    for expected in [
        ":3:1: user \"ann\": line 2 decides about this name",
        ":4:56: user \"joe\": cannot log in: unknown key \"Idel\", did you mean \"Idle\"?\n  \
         4 | joe:md5:…:nobody:/tmp:Idel=5\n    |                       ^^^^\n",
        ":4:5: user \"joe\": who reads the file learns passwords of type md5 quickly",
        ":5:12: user \"eve\": cannot log in: ",
        ":5:25: user \"eve\": home /no/such/home: ",
        ":5:5: user \"eve\": any password is right for this user",
        ":6:1: user \"\": cannot log in: ",
        ":7:5: user \"jil\": who reads the file learns passwords of type jh-224 quickly",
        ":8:5: user \"kim\": who reads the file learns passwords of type challenge at once",
        ":8:36: user \"kim\": Idle stands here twice, and the last one counts: leave one out\n  \
         8 | kim:challenge:…:nobody:/tmp:idle=5 Idle=6\n    |                                  ^\n",
        "users: 8, problems: 10\n",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let problems: serde_json::Value =
        serde_json::from_slice(&users.run("check --json", "").stdout).unwrap();
    assert_eq!(problems.as_array().unwrap().len(), 10);
    assert_eq!(
        (&problems[0]["line"], &problems[0]["column"]),
        (&3.into(), &1.into())
    );
    // A line that is none may be a password.
    assert!(
        !told.contains("nonsense") && !told.contains("00000000"),
        "{told}"
    );
    mode(0o644);
    users.fail("check", 1, "remedy: chmod 600");
}
