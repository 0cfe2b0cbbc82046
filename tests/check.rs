//! `ftpd --check`: what it says about a configuration, its files, and the login of one user.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::user::ordinary;
use tests::{Scratch, binaries};

/// A configuration with a user file, neither of which any server uses.
struct Scene {
    scratch: Scratch,
}

/// What the program said, and its exit status.
struct Told {
    status: Option<i32>,
    out: String,
    errors: String,
}

impl Scene {
    /// `{user}` is the real user and `{home}` an empty directory.
    fn new(configuration: &str, users: &str) -> Scene {
        let scratch = Scratch::new();
        let home = scratch.directory("home");
        let users = users
            .replace("{user}", &ordinary().name)
            .replace("{home}", home.to_str().unwrap());
        let scene = Scene { scratch };
        let configuration = format!("{configuration}\nAuthFile={}\n", scene.users().display());
        scene.write(scene.configuration(), &configuration);
        scene.write(scene.users(), &users);
        scene
    }

    fn configuration(&self) -> PathBuf {
        self.scratch.join("ftpd.conf")
    }

    fn users(&self) -> PathBuf {
        self.scratch.join("users")
    }

    fn write(&self, path: PathBuf, text: &str) {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Runs the program; its own directory is called DIR in what is returned.
    fn check(&self, words: &[&str]) -> Told {
        self.ask("--check", words)
    }

    fn ask(&self, question: &str, words: &[&str]) -> Told {
        let output = Command::new(binaries::path("ftpd"))
            .args([question, "-f"])
            .arg(self.configuration())
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let directory = self.scratch.path().to_str().unwrap();
        let text = |octets| String::from_utf8(octets).unwrap().replace(directory, "DIR");
        Told {
            status: output.status.code(),
            out: text(output.stdout),
            errors: text(output.stderr),
        }
    }

    /// The facts about a login, and the exit status.
    fn login(&self, words: &[&str]) -> (Option<i32>, Value) {
        let told = self.check(&[words, &["-json"]].concat());
        assert_eq!(told.errors, "");
        (told.status, serde_json::from_str(&told.out).unwrap())
    }
}

const FRED: &str = "fred:plain::pw:{user}:{home}:\n";

#[test]
fn a_good_configuration_is_fine() {
    let told = Scene::new("Port=2121\nChHome=yes", FRED).check(&[]);
    assert_eq!(told.errors, "");
    assert_eq!(told.out, "configuration is fine\n");
    assert_eq!(told.status, Some(0));
}

#[test]
fn what_users_cannot_do_is_a_warning_with_its_line() {
    let users = [
        FRED,
        "# comment\n",
        "ann:md5:00:zz:{user}:{home}:\n",
        "bob:null:::no-such-user:/tmp:Idle=soon\n",
        "Fred:null:::{user}:{home}:\n",
        "eve:null:::{user}:/no/such/home:\n",
    ];
    let told = Scene::new("Port=2121\nDenyUsers=@no-such-group", &users.concat()).check(&[]);
    let expected = [
        "DenyUsers: this system has no group \"no-such-group\": nobody can log in",
        "DIR/users:3:9: user \"ann\": cannot log in: secret is not the hex digest of its type\n  \
           3 | ann:md5:…:{user}:DIR/home:\n    |         ^",
        "DIR/users:4:35: user \"bob\": cannot log in: Idle: \"soon\" is not a time such as 90, 5m, 1h30m or 500ms\n  \
           4 | bob:null:…:no-such-user:/tmp:Idle=soon\n    |                                   ^^^^",
        "DIR/users:4:12: user \"bob\": cannot log in: no real user \"no-such-user\" on this system\n  \
           4 | bob:null:…:no-such-user:/tmp:Idle=soon\n    |            ^^^^^^^^^^^^",
        "DIR/users:5:1: user \"Fred\": line 1 decides about this name, so this one is without effect\n  \
           5 | Fred:null:…:{user}:DIR/home:\n    | ^^^^",
        "DIR/users:6:{home}: user \"eve\": home /no/such/home: No such file or directory\n  \
           6 | eve:null:…:{user}:/no/such/home:\n    | {blank}^^^^^^^^^^^^^",
    ];
    let user = ordinary().name;
    let before = "eve:null:::".len() + user.len() + 1;
    let expected: String = expected
        .iter()
        .map(|line| format!("ftpd: warning: {line}\n"))
        .collect();
    let expected = expected
        .replace("{home}", &(before + 1).to_string())
        .replace("{blank}", &" ".repeat(before))
        .replace("{user}", &user);
    assert_eq!(told.errors, expected);
    assert_eq!(told.out, "configuration is fine\n");
    assert_eq!(told.status, Some(0));
}

#[test]
fn files_that_cannot_be_used_are_errors() {
    let scene = Scene::new(
        "Port=2121\nChShare=/no/such/share\nLogFile=/no/such/directory/log",
        FRED,
    );
    fs::set_permissions(scene.users(), fs::Permissions::from_mode(0o644)).unwrap();
    let told = scene.check(&[]);
    assert_eq!(
        told.errors,
        "ftpd: ChShare: /no/such/share: No such file or directory\n\
         ftpd: LogFile: /no/such/directory/log: No such file or directory\n\
         ftpd: AuthFile: nobody can log in: DIR/users has mode 0644, so that others can read or write passwords; remedy: chmod 600 \
         DIR/users\n"
    );
    assert_eq!((told.out.as_str(), told.status), ("", Some(1)));
    fs::remove_file(scene.users()).unwrap();
    let told = scene.check(&[]);
    assert!(
        told.errors
            .contains("AuthFile: nobody can log in: DIR/users: No such file"),
        "{}",
        told.errors
    );
    assert_eq!(told.status, Some(1));
}

#[test]
fn a_login_is_told_with_where_each_part_comes_from() {
    let users = "# comment\nFred:plain::pw:{user}:{home}:Idle=5m Umask=007\n";
    let scene = Scene::new("ChHome\nMaxIdle=1h\nUmask=077", users);
    let (status, answer) = scene.login(&["-user", "FRED", "-dclow", "50000"]);
    assert_eq!(
        (status, &answer["allowed"], &answer["why"]),
        (Some(0), &true.into(), &Value::Null)
    );
    let entry = "DIR/users:2".to_owned();
    let at = |place: &str| format!("DIR/ftpd.conf:{place}");
    let user = ordinary();
    for (name, value, from) in [
        ("account", "Fred", entry.clone()),
        ("method", "native", "default".to_owned()),
        ("password", "plain", entry.clone()),
        (
            "real user",
            &format!("{} ({})", user.name, user.uid),
            entry.clone(),
        ),
        (
            "root directory",
            "DIR/home",
            format!("ChHome: {}", at("1:1")),
        ),
        ("start directory", "/", entry.clone()),
        ("data ports", "50000-65535", "-dclow".to_owned()),
        ("Umask", "007", entry.clone()),
        ("Idle", "300", entry.clone()),
        ("MaxIdle", "1h", at("2:9")),
        ("Durability", "strict", "default".to_owned()),
    ] {
        let fact = &answer["facts"][name];
        assert_eq!(
            (&fact["value"], &fact["from"]),
            (&value.into(), &from.into()),
            "{name}"
        );
    }
    let groups = answer["facts"]["groups"]["value"].as_str().unwrap();
    assert!(groups.contains(&format!("({})", user.gid)), "{groups}");
    let commands = answer["facts"]["PermittedCommands"]["value"]
        .as_str()
        .unwrap();
    assert!(commands.split(' ').any(|verb| verb == "STOR"), "{commands}");
}

#[test]
fn a_toml_file_says_the_same_and_has_tables_of_users() {
    let scene = Scene::new(
        "",
        "Fred:plain::pw:{user}:{home}:Idle=5m\nann:plain::pw:{user}:{home}:\n",
    );
    let file = scene.scratch.join("ftpd.toml");
    let toml = format!(
        "[login]\nauth-file = '{}'\n[files]\nconfine-home = true\n\
         [user.fred]\nfiles.umask = '007'\nsession.idle = 60\n[user.ann.session]\nidle = 'soon'\n",
        scene.users().display()
    );
    scene.write(file.clone(), &toml);
    let toml = ["-f", file.to_str().unwrap()];
    let ask = |words: &[&str]| scene.check(&[&toml[..], words].concat());
    let told = ask(&["-user", "fred", "-json"]);
    let answer: Value = serde_json::from_str(&told.out).unwrap();
    for (name, value, from) in [
        ("root directory", "DIR/home", "ChHome: DIR/ftpd.toml:4:16"),
        ("Umask", "007", "DIR/ftpd.toml:6:15"),
        ("Idle", "300", "DIR/users:1"),
    ] {
        let fact = &answer["facts"][name];
        assert_eq!(
            (&fact["value"], &fact["from"]),
            (&value.into(), &from.into()),
            "{name}"
        );
    }
    // What is wrong in one table is a warning, and refuses one login.
    let warning = "ftpd: warning: DIR/ftpd.toml:9:8: Idle: \"soon\" is not a time such as 90, 5m, 1h30m or 500ms; logins of ann \
                   are refused\n  9 | idle = 'soon'\n    |        ^^^^^^\n";
    assert_eq!(told.errors, warning);
    let told = ask(&["-user", "ann"]);
    assert_eq!(told.status, Some(3));
    assert!(
        told.out.contains("Idle: \"soon\" is not a time"),
        "{}",
        told.out
    );
}

#[test]
fn what_is_wrong_in_a_toml_file_is_pointed_at() {
    let scene = Scene::new("", FRED);
    let file = scene.scratch.join("ftpd.toml");
    scene.write(
        file.clone(),
        "[listen]\nprot = 21\n\nport = 99999 # a comment\n",
    );
    let told = scene.check(&["-f", file.to_str().unwrap()]);
    assert_eq!(
        told.errors,
        "ftpd: DIR/ftpd.toml:2:1: unknown name \"listen.prot\", did you mean \"listen.port\"?\n  2 | prot = 21\n    | ^^^^\n\
         ftpd: DIR/ftpd.toml:4:8: Port: \"99999\" is not a port number from 0 to 65535\n  4 | port = 99999 # a comment\n    \
         |        ^^^^^\n"
    );
    assert_eq!(told.status, Some(1));
    let twice = "listen.port = 2121\nlisten.port = 3\n";
    for (octets, expected) in [
        (
            twice.as_bytes(),
            ":2:8: duplicate key: leave one of them out\n",
        ),
        (
            b"listen.port = 2121\nfiles.umask = \"\xff\"",
            ":2:16: this is not UTF-8: save the file",
        ),
    ] {
        std::fs::write(&file, octets).unwrap();
        let told = scene.check(&["-f", file.to_str().unwrap()]);
        assert!(told.errors.contains(expected), "{}", told.errors);
    }
}

#[test]
fn a_table_has_aligned_columns() {
    let told = Scene::new("ChHome", FRED).check(&["-user", "fred"]);
    let mut lines = told.out.lines();
    assert_eq!(lines.next(), Some("the login would succeed"));
    let facts: Vec<_> = lines.collect();
    let row = |name: &str| *facts.iter().find(|row| row.starts_with(name)).unwrap();
    let column = row("method").rfind("native").unwrap();
    assert_eq!(row("Umask").find("022"), Some(column), "{}", told.out);
    assert_eq!(
        row("PermittedCommands").find("ABOR"),
        Some(column),
        "{}",
        told.out
    );
    assert_eq!(told.status, Some(0));
}

#[test]
fn a_login_that_would_be_refused_ends_with_3_and_says_why() {
    let users = [
        FRED,
        "ann:plain::pw:root:{home}:\n",
        "bob:plain::pw:{user}:{home}:Enabled=no\n",
        "eve:plain::pw:{user}:/no/such/home:\n",
        "max:plain::pw:{user}:{home}:AllowedNetworks=192.0.2.0/24\n",
        "sue:plain:::{user}:{home}:\n",
        "tom:plain::pw:{user}:{home}:Port=21\n",
    ];
    let scene = Scene::new("ChHome\nDenyUsers=fred", &users.concat());
    for (name, why) in [
        ("fred", "DenyUsers: names this user"),
        ("ann", "real user \"root\" is root, which is refused"),
        ("bob", "Enabled: the account is disabled"),
        ("eve", "directory /no/such/home: No such file or directory"),
        ("max", "AllowedNetworks: 127.0.0.1 is in none of them"),
        ("sue", "secret is empty"),
        ("tom", "Port is a setting of the server, not of a user"),
        ("who", "no user who"),
        ("ftp", "no user ftp"),
        ("", "no user "),
    ] {
        let (status, answer) = scene.login(&["-user", name]);
        assert_eq!(
            (status, &answer["allowed"]),
            (Some(3), &false.into()),
            "{name}"
        );
        let told = answer["why"].as_str().unwrap();
        assert!(told.contains(why), "{name}: {told}");
    }
    scene.write(
        scene.configuration(),
        &format!("RootUsers=ann\nAuthFile={}\n", scene.users().display()),
    );
    let (status, answer) = scene.login(&["-user", "ann"]);
    assert_eq!(status, Some(0));
    let warning = &answer["facts"]["warning"];
    assert!(warning["value"].as_str().unwrap().starts_with("root owns"));
    assert_eq!(warning["from"], "DIR/ftpd.conf:1:11");
    let warned = "ftpd: warning: RootUsers: sessions of \"ann\" may be root's\n";
    assert!(scene.check(&[]).errors.contains(warned));
    let scene = Scene::new("ChHome", &users.concat());
    let told = scene.check(&["-user", "max", "-from", "192.0.2.1"]);
    assert_eq!(told.status, Some(0), "{}", told.out);
}

#[test]
fn the_questions_about_a_user_need_check() {
    for words in [
        &["-user", "fred"][..],
        &["-json"],
        &["--check", "-json"],
        &["--check", "-user", "x", "-from", "here"],
    ] {
        let output = Command::new(binaries::path("ftpd"))
            .args(words)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn limits_that_sessions_share_need_the_daemon() {
    let users = "fred:plain::pw:{user}:{home}:MaxPerUser=2\n";
    let scene = Scene::new("MaxClients=10\nBan=1m\nPenalty=0", users);
    assert_eq!(scene.check(&[]).status, Some(0));
    let told = scene.check(&["-inetd"]);
    assert_eq!(told.status, Some(1), "{}", told.errors);
    for (place, key) in [("1:12", "MaxClients"), ("2:5", "Ban")] {
        let sentence = format!("DIR/ftpd.conf:{place}: {key} needs the daemon: under inetd");
        assert!(told.errors.contains(&sentence), "{}", told.errors);
    }
    assert!(!told.errors.contains("Penalty"), "{}", told.errors);
    // What a user's own entry asks for is no reason not to serve the others.
    let scene = Scene::new("", users);
    let told = scene.check(&["-inetd"]);
    assert_eq!(told.status, Some(0), "{}", told.errors);
    let sentence = "user \"fred\": cannot log in: MaxPerUser needs the daemon";
    assert!(told.errors.contains(sentence), "{}", told.errors);
    let (status, login) = scene.login(&["-inetd", "-user", "fred"]);
    assert_eq!((status, &login["allowed"]), (Some(3), &Value::Bool(false)));
}

/// The lines of a dump that say something, without the gaps before their origins.
fn said(dump: &str) -> Vec<String> {
    let lines = dump
        .lines()
        .filter(|line| line.contains(" = ") && !line.starts_with('#'));
    let mut lines: Vec<_> = lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    lines.sort();
    lines
}

#[test]
fn a_dump_names_every_value_and_its_origin() {
    let scene = Scene::new("Umask=027\nchhome\nBanner=a \"b\"", FRED);
    let told = scene.ask(
        "--dump-config",
        &["-dclow", "50000", "-nodemon", "-cert=c.pem"],
    );
    assert_eq!((told.status, told.errors.as_str()), (Some(0), ""));
    let here = std::env::current_dir().unwrap();
    let certificate = format!("certificate = \"{}\" # -cert", here.join("c.pem").display());
    let expected = [
        "auth-file = \"DIR/users\" # DIR/ftpd.conf:4:10",
        "banner = \"a \\\"b\\\"\" # DIR/ftpd.conf:3:8",
        &certificate,
        "confine-home = true # DIR/ftpd.conf:2:1",
        "port-low = 50000 # -dclow",
        "umask = \"027\" # DIR/ftpd.conf:1:7",
    ];
    assert_eq!(said(&told.out), expected);
    assert!(told.out.contains("# foreground = true"), "{}", told.out);
    assert!(told.out.contains("\n# idle = 600 "), "{}", told.out);
}

#[test]
fn a_dump_is_a_configuration_that_says_the_same() {
    let all = "Port=0\nCertificate=/a.pem,/b.pem\nCertificateKey=/a.key,/b.key\nDenyUsers=a,@b\nChShare=/srv\n\
               LoginHours=mon-fri 08:00-18:00\nKeepPartial=1h\nDownloadRate=1MiB/s\nPermittedCommands=Basic,-DELE\n\
               MandatoryLocks\nExpires=2031-01-31\nPassiveAddress=10.0.0.0/8=local, 192.0.2.1";
    let scene = Scene::new(all, FRED);
    let first = scene.ask("--dump-config", &[]);
    assert_eq!((first.status, first.errors.as_str()), (Some(0), ""));
    let toml = scene.scratch.join("again.toml");
    scene.write(
        toml.clone(),
        &first
            .out
            .replace("DIR", scene.scratch.path().to_str().unwrap()),
    );
    let words = ["-f", toml.to_str().unwrap()];
    let again = scene.ask("--dump-config", &words);
    assert_eq!((again.status, again.errors.as_str()), (Some(0), ""));
    let values = |dump: &str| -> Vec<_> {
        let lines = said(dump).into_iter();
        lines
            .map(|line| line.rsplit_once(" # ").unwrap().0.to_owned())
            .collect()
    };
    assert_eq!(values(&again.out), values(&first.out));
    assert_eq!(values(&first.out).len(), all.lines().count() + 1);
}

#[test]
fn a_dump_of_a_user_has_the_settings_of_that_user() {
    let users = "fred:plain::pw:{user}:{home}:Idle=30\n";
    let scene = Scene::new("Idle=60\nUmask=027", users);
    let told = scene.ask("--dump-config", &["-user", "fred"]);
    assert_eq!((told.status, told.errors.as_str()), (Some(0), ""));
    let expected = [
        "idle = 30 # DIR/users:1",
        "umask = \"027\" # DIR/ftpd.conf:2:7",
    ];
    assert_eq!(said(&told.out), expected);
    let told = scene.ask("--dump-config", &["-user", "nobody-of-that-name"]);
    assert_eq!(told.status, Some(1));
    assert!(told.errors.starts_with("ftpd: "), "{}", told.errors);
}

#[test]
fn a_setting_is_explained_by_any_of_its_names() {
    let by_key = explain("DataConnectionLowPort");
    assert_eq!(by_key.status, Some(0));
    for line in [
        "DataConnectionLowPort: ",
        "  flag        -dclow PORT",
        "  TOML        data.port-low",
    ] {
        assert!(by_key.out.contains(line), "{}", by_key.out);
    }
    for name in ["data.port-low", "pasv_min_port", "dclow", "-dclow"] {
        assert_eq!(explain(name).out, by_key.out, "{name}");
    }
    let told = explain("DataConectionLowPort");
    assert_eq!(told.status, Some(2));
    assert!(
        told.errors
            .contains("did you mean \"DataConnectionLowPort\"?"),
        "{}",
        told.errors
    );
}

#[test]
fn every_setting_is_explained_with_how_its_value_is_written() {
    let dump = Command::new(binaries::path("ftpd"))
        .args(["--dump-config", "-f", "/dev/null"])
        .output()
        .unwrap();
    let dump = String::from_utf8(dump.stdout).unwrap();
    let mut topic = "";
    let mut count = 0;
    for line in dump.lines() {
        if let Some(name) = line.strip_prefix('[') {
            topic = name.trim_end_matches(']');
        }
        let said = line.strip_prefix("# ").unwrap_or(line).split_once(" = ");
        let Some((name, _)) = said else { continue };
        let told = explain(&format!("{topic}.{name}"));
        let has = |row: &str| told.out.lines().any(|line| line.starts_with(row));
        let rows = [
            "  flag        -",
            "  value       ",
            "              ",
            "  default     ",
            "  may be set  ",
        ];
        assert!(
            rows.iter().all(|row| has(row)),
            "{topic}.{name}: {}",
            told.out
        );
        assert!(
            told.out.lines().all(|line| line.chars().count() <= 120),
            "{}",
            told.out
        );
        count += 1;
    }
    assert!(count > 100, "{dump}");
}

fn explain(name: &str) -> Told {
    let output = Command::new(binaries::path("ftpd"))
        .args(["--explain", name])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Told {
        status: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        errors: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn rules_for_data_connections_that_say_more_or_less_than_was_meant_are_named() {
    let rules = "PassivePeers=10.0.0.0/8=client,10.1.0.0/16=tls,any\nport_promiscuous=YES";
    let told = Scene::new(rules, FRED).check(&[]);
    assert_eq!(told.status, Some(0));
    for warning in [
        "warning: PassivePeers: 10.1.0.0/16=tls is never used: 10.0.0.0/8=client stands before it",
        "warning: PassivePeers: tls lets nobody in without TLSDataBinding=require",
        "warning: PassivePeers: any: whoever guesses a passive port gets the file",
        "warning: ActiveTargets: any: clients can have this server connect to whom they want",
    ] {
        assert!(told.errors.contains(warning), "{}", told.errors);
    }
    let told = Scene::new("ActiveTargets=10.0.0.0/8=tls", FRED).check(&[]);
    assert_eq!(told.status, Some(1));
    assert!(
        told.errors.contains("tls is for PassivePeers"),
        "{}",
        told.errors
    );
}

#[test]
fn what_an_account_alone_demands_of_tls_comes_too_late_for_its_password() {
    let make = |scene: &Scene, required: &str| {
        let made = Command::new(binaries::path("ftpd"))
            .args(["--make-cert", "localhost"])
            .current_dir(scene.scratch.path())
            .output();
        assert!(made.unwrap().status.success());
        let directory = scene.scratch.path().display();
        let configuration = fs::read_to_string(scene.configuration()).unwrap();
        let tls = format!(
            "Certificate={directory}/localhost.pem\nCertificateKey={directory}/localhost.key\n{required}\n"
        );
        scene.write(scene.configuration(), &(configuration + &tls));
    };
    let users = "ann:plain::pw:{user}:{home}:TLSRequired=all\n";
    for (required, warned) in [("", true), ("TLSRequired=login", false)] {
        let scene = Scene::new("", users);
        make(&scene, required);
        let told = scene.check(&["--user", "ann"]);
        assert_eq!(told.status, Some(0), "{}", told.errors);
        let warning = "refused only behind its password";
        // The table breaks lines where it is narrow.
        let text = told.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(text.contains(warning), warned, "{}", told.out);
    }
}

/// As the start does: `tests/logs.rs`.
#[test]
fn a_log_file_that_somebody_else_could_have_put_there_is_an_error() {
    let scratch = Scratch::new();
    let (link, strange) = (scratch.join("link"), scratch.join("strange"));
    std::os::unix::fs::symlink(scratch.join("nowhere"), &link).unwrap();
    fs::write(&strange, "").unwrap();
    let mut cases = vec![(link, "it is a symbolic link")];
    match nix::unistd::geteuid().is_root() {
        true => {
            std::os::unix::fs::chown(&strange, Some(65534), None).unwrap();
            cases.push((strange, "it belongs to user 65534"));
        }
        false => println!("skipped: only root can give files away"),
    }
    for (path, why) in cases {
        for key in ["LogFile", "TransferLog"] {
            let told = Scene::new(&format!("{key}={}", path.display()), FRED).check(&[]);
            let sentence = format!("{}: {why}", path.display());
            assert_eq!(told.status, Some(1), "{}", told.errors);
            assert!(told.errors.contains(&sentence), "{}", told.errors);
        }
    }
}

#[test]
fn passive_mode_is_tried_from_here() {
    let scene = Scene::new(
        "BindAddress=127.0.0.1\nPassiveAddress=10.1.0.0/16=local, self=127.0.0.9, nowhere.invalid\n\
         PassivePorts=10.2.0.0/16=40000-40009, self=20000-20009:41000-41009\nTunnelNetworks=self",
        FRED,
    );
    let told = scene.check(&["--passive"]);
    assert_eq!(told.status, Some(3), "{}", told.errors);
    let lines: Vec<Vec<&str>> = told
        .out
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        lines[0],
        ["clients", "PASV", "tells", "ports", "EPSV", "from", "here"]
    );
    assert_eq!(
        lines[1],
        ["10.1.0.0/16", "127.0.0.1", "49152-65535", "yes", "reached"]
    );
    assert_eq!(lines[2][..4], ["self", "127.0.0.9", "20000-20009", "no"]);
    assert_eq!(lines[3][0], "all");
    assert!(
        told.out.contains("all: nowhere.invalid is not found"),
        "{}",
        told.out
    );
    // Nobody hands on what the ports are called outside.
    assert!(told.out.contains("self: 127.0.0.9:200"), "{}", told.out);
    let told = scene.check(&["--passive", "--json"]);
    let answer: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(answer["fine"], false);
    let case = &answer["cases"][0];
    assert_eq!(case["address"], "127.0.0.1");
    assert_eq!(case["epsv"], true);
    assert!(case["reached"].as_str().unwrap().starts_with("127.0.0.1:"));
    assert_eq!(answer["cases"][1]["reached"], Value::Null);
}

#[test]
fn passive_mode_that_leads_back_is_fine() {
    let scene = Scene::new(
        "BindAddress=127.0.0.1\nDataConnectionPortRange=42000-42099",
        FRED,
    );
    let told = scene.check(&["--passive"]);
    assert_eq!(told.status, Some(0), "{}{}", told.out, told.errors);
    assert!(told.out.contains("all others"), "{}", told.out);
    assert!(
        told.out
            .contains("127.0.0.1 means something in a private network only"),
        "{}",
        told.out
    );
    // A port that is taken is none to be told.
    let scene = Scene::new("BindAddress=192.0.2.77", FRED);
    let told = scene.check(&["--passive"]);
    assert_eq!(told.status, Some(3));
    assert!(
        told.out.contains("can be opened on 192.0.2.77"),
        "{}",
        told.out
    );
}

#[test]
fn places_to_listen_at_are_looked_at_one_by_one() {
    for (settings, sentence) in [
        ("BindAddress=nosuch0", "there is no interface nosuch0"),
        (
            "BindAddress=127.0.0.1:",
            "with or without a port: 192.0.2.1",
        ),
        (
            "BindAddress=127.0.0.1:990, ::1\nTLSPort=990\nCertificate=/no/such.pem",
            "both the plain one and TLSPort",
        ),
    ] {
        let told = Scene::new(settings, FRED).check(&[]);
        assert_eq!(told.status, Some(1), "{settings}");
        assert!(told.errors.contains(sentence), "{}", told.errors);
    }
    // Each address has a row of its own.
    let places = "BindAddress=127.0.0.1, 127.0.0.2:2121, 127.0.0.1:2122";
    let told = Scene::new(places, FRED).check(&["--passive"]);
    assert_eq!(told.status, Some(0), "{}{}", told.out, told.errors);
    for clients in ["all others@127.0.0.1 ", "all others@127.0.0.2 "] {
        assert_eq!(told.out.matches(clients).count(), 1, "{}", told.out);
    }
}

#[test]
fn data_connections_that_cannot_come_about_are_errors() {
    for (settings, sentence) in [
        (
            "PassiveMode=no\nport_enable=NO",
            "PassiveMode and ActiveMode are both off",
        ),
        (
            "ActiveMode=no\nDefaultDataPort=yes",
            "DefaultDataPort has the server connect to clients",
        ),
        (
            "PassiveMode=yes\nNoPASV=yes",
            "PassiveMode and NoPASV exclude each other",
        ),
        ("ActivePorts=0", "\"0\" is not a port number"),
    ] {
        let told = Scene::new(settings, FRED).check(&[]);
        assert_eq!(told.status, Some(1), "{settings}");
        assert!(told.errors.contains(sentence), "{}", told.errors);
    }
}
