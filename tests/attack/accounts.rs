//! Attacks on accounts, by their row in our table of attacks: names that are paths, telling users apart, records that are
//! none, and injection into the user file.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::{Client, Server, Setup, binaries};

/// A server that answers guesses at once and nearly without end.
fn setup(cost: &str) -> Setup {
    Setup::new()
        .setting("LoginFailDelay=0")
        .setting("MaxLoginFails=1000000")
        .setting("Penalty=0")
        .setting("LoginTimeout=1h")
        .setting(&format!("PasswordCost={cost}"))
}

const CHEAP: &str = "m=8,t=1,p=1";

/// Sends a name as octets and a password; returns the last reply, or nothing if the server hung up.
fn attempt(client: &mut Client, name: &[u8], password: &str) -> Option<(u16, String)> {
    client.send_octets(&[b"USER ", name, b"\r\n"].concat());
    let reply = client.try_reply()?;
    if reply.code != 331 {
        return Some((reply.code, reply.text()));
    }
    let reply = client.command(&format!("PASS {password}"));
    Some((reply.code, reply.text()))
}

/// Adds a user with the tester's password to a server that runs.
fn add_user(server: &Server, name: &str, words: &[&str]) {
    let mut child = Command::new(binaries::path("ftpuser"))
        .args(["add", name, "--password-stdin", "-a"])
        .arg(server.scratch.join("auth"))
        .arg("--home")
        .arg(&server.home)
        .args(words)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", server.login.password).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn attack_17_a_name_that_is_a_path_or_a_pattern_is_nobody() {
    let long = "x".repeat(256);
    let odd = [
        "..", ".", "../x", "a/b", "/", "", "#x", &long, "~root", "~{", "%u", "$(id)", "*", "x\\",
    ];
    let refused = ["..", ".", "../x", "a/b", "/", "", "#x", &long, "x\\"];
    // Somebody has put these into the file, for anybody to use.
    let server = refused.iter().fold(setup(CHEAP), |setup, name| {
        setup.line(&format!("{name}:null:::{{user}}:{{home}}:"))
    });
    let server = server.start();
    let mut names: Vec<Vec<u8>> = odd.iter().map(|name| name.as_bytes().to_vec()).collect();
    names.extend([
        b"tester\0".to_vec(),
        b"\0".to_vec(),
        b"tester\r".to_vec(),
        b"tester:plain".to_vec(),
        b"tester:plain::correct horse".to_vec(),
        vec![0xff, 0xfe],
        vec![b'x'; 255],
        vec![b'x'; 4000],
    ]);
    for name in names {
        let mut client = server.connect();
        if let Some((code, text)) = attempt(&mut client, &name, &server.login.password) {
            assert!(
                (500..=599).contains(&code),
                "{}: {code} {text}",
                name.escape_ascii()
            );
        }
    }
    // A line ends there: what is behind it is no part of the name.
    let mut client = server.connect();
    client.send_octets(b"USER tester\nx\r\n");
    client.expect_reply(331);
    client.expect_reply(500);
    server.logged_in().expect("NOOP", 200);
    let log = server.log.text();
    assert!(!log.contains("bug:"), "{log}");
}

#[test]
fn attack_17_a_home_is_a_path_and_no_template() {
    let server = setup(CHEAP)
        .line("fred:plain::{password}:{user}:{home}/%u:")
        .line("ann:plain::{password}:{user}:{home}/~root:")
        .line("bob:plain::{password}:{user}:~:")
        .line("eve:plain::{password}:{user}:{home}/$HOME:")
        .start();
    for directory in ["%u", "~root"] {
        server.put_directory(directory);
    }
    server.put("%u/fred", b"");
    server.put("~root/ann", b"");
    for name in ["fred", "ann"] {
        let mut client = server.connect();
        client.login(name, &server.login.password);
        assert_eq!(client.names(""), [name]);
    }
    for name in ["bob", "eve"] {
        let told = attempt(
            &mut server.connect(),
            name.as_bytes(),
            &server.login.password,
        );
        assert_eq!(told.unwrap().0, 530);
    }
}

/// A user who cannot log in with this password, and why.
struct Kind {
    what: &'static str,
    name: &'static str,
    password: String,
}

/// A server and everybody who is refused there.
fn refused_kinds(cost: &str) -> (Server, Vec<Kind>) {
    let server = setup(cost)
        .setting("DenyUsers=denied")
        .line("plain:plain::{password}:{user}:{home}:")
        .line("denied:plain::{password}:{user}:{home}:")
        .line("disabled:plain::{password}:{user}:{home}:Enabled=no")
        .line("closed:null:::{user}:{home}:Enabled=no")
        .line("expired:plain::{password}:{user}:{home}:Expires=2020-01-01")
        .line("far:plain::{password}:{user}:{home}:AllowedNetworks=192.0.2.0/24")
        .line("wrong:plain::{password}:{user}:{home}:LoginHours=never")
        .line("broken:md5::zz:{user}:{home}:")
        .line("root:plain::{password}:root:{home}:")
        .line("lost:plain::{password}:no-such-user:{home}:")
        .start();
    for (name, words) in [("modern", &[][..]), ("gone", &["Enabled=no"])] {
        add_user(&server, name, &[&["--cost", cost], words].concat());
    }
    let right = server.login.password.clone();
    let kind = |what, name, password: &str| Kind {
        what,
        name,
        password: password.to_owned(),
    };
    let kinds = vec![
        kind("a wrong password", "modern", "wrong"),
        kind("a wrong password of an old type", "plain", "wrong"),
        kind("an unknown user", "nobody-knows", &right),
        kind("a denied user", "denied", &right),
        kind("a disabled user", "disabled", &right),
        kind("a disabled user with a modern password", "gone", &right),
        kind("a disabled user without a password", "closed", &right),
        kind("an expired user", "expired", &right),
        kind("a user of another network", "far", &right),
        kind("a user with a wrong rule", "wrong", &right),
        kind("a broken record", "broken", &right),
        kind("a user who would be root", "root", &right),
        kind("a user of a system's user who is not", "lost", &right),
    ];
    (server, kinds)
}

#[test]
fn attack_67_all_who_are_refused_look_alike_and_cost_the_same() {
    let (server, kinds) = refused_kinds("m=16384,t=2,p=1");
    let mut client = server.connect();
    let keeper = server.only_keeper();
    let mut first = None;
    for kind in &kinds {
        let mut least = Duration::MAX;
        for _ in 0..3 {
            let before = keeper.processor_time();
            let told = attempt(&mut client, kind.name.as_bytes(), &kind.password).unwrap();
            least = least.min(keeper.processor_time() - before);
            let (expected, _) = first.get_or_insert((told.clone(), least));
            assert_eq!(told, *expected, "{}", kind.what);
            assert_eq!(told.0, 530);
        }
        let (_, usual) = first.as_mut().unwrap();
        if kind.what == "a wrong password" {
            *usual = least;
        }
        // Without the work it would be a hundredth.
        assert!(
            least > *usual / 2 && least < *usual * 2,
            "{}: {least:?}, not {usual:?}",
            kind.what
        );
    }
}

/// How often a sample of the second is the longer one (what Mann and Whitney's test goes by), and how many standard deviations
/// that is away from a half.
fn mann_whitney(one: &[Duration], other: &[Duration]) -> (f64, f64) {
    let mut all: Vec<(Duration, bool)> = one.iter().map(|&time| (time, false)).collect();
    all.extend(other.iter().map(|&time| (time, true)));
    all.sort_unstable();
    let ranks = (1u32..).zip(&all).filter(|(_, (_, second))| *second);
    let sum: f64 = ranks.map(|(rank, _)| f64::from(rank)).sum();
    let (n, m) = (one.len() as f64, other.len() as f64);
    let longer = (sum - m * (m + 1.0) / 2.0) / (n * m);
    (
        longer,
        (longer - 0.5) * (12.0 * n * m / (n + m + 1.0)).sqrt(),
    )
}

/// Whoever knows no password must not learn from 5,000 answers to each name who exists, even with the delay of answers off and
/// hashes that cost a fiftieth of the default. Needs a machine at rest.
#[test]
#[ignore = "measures, in release"]
fn attack_67_times_do_not_tell_who_exists() {
    const SAMPLES: usize = 5000;
    let (server, mut kinds) = refused_kinds("m=1024,t=1,p=1");
    // Any password is right for this one.
    kinds.retain(|kind| kind.name != "closed");
    let mut client = server.connect();
    let mut times = vec![Vec::with_capacity(SAMPLES); kinds.len()];
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    let mut random = 1u64;
    for round in 0..SAMPLES {
        // A session may not ask the listener without end.
        if round % 20 == 0 {
            client = server.connect();
        }
        // In another order every time: each answer is a little later behind some than behind others.
        for last in (1..order.len()).rev() {
            random = random
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            order.swap(last, (random >> 33) as usize % (last + 1));
        }
        for &kind in &order {
            let begin = Instant::now();
            assert_eq!(
                attempt(&mut client, kinds[kind].name.as_bytes(), "wrong")
                    .unwrap()
                    .0,
                530
            );
            times[kind].push(begin.elapsed());
        }
    }
    let unknown = kinds
        .iter()
        .position(|kind| kind.what == "an unknown user")
        .unwrap();
    let mut told = Vec::new();
    for (kind, times_of_kind) in kinds.iter().zip(&times) {
        let (longer, deviations) = mann_whitney(&times[unknown], times_of_kind);
        let mut sorted = times_of_kind.clone();
        sorted.sort_unstable();
        let (what, median, percent) = (kind.what, sorted[SAMPLES / 2], longer * 100.0);
        println!(
            "{what:<45} median {median:?}, longer than an unknown one in {percent:.1} %, {deviations:.1} deviations"
        );
        if !(0.45..0.55).contains(&longer) {
            told.push(what);
        }
    }
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn attack_69_a_malformed_record_is_no_login_and_the_log_says_where() {
    #[rustfmt::skip]
    let lines = [
        ("u0", "u0:null",                                             "fewer than six fields"),
        ("u1", "u1:plain:",                                           "fewer than six fields"),
        ("u2", "u2:plain:::{user}:{home}:",                           "secret is empty"),
        ("u3", "u3:md5:00::{user}:{home}:",                           "secret is empty"),
        ("u4", "u4:argon2id:::{user}:{home}:",                        "secret is empty"),
        ("u5", "u5:NULL:::{user}:{home}:",                            "unknown password type"),
        ("u6", "u6::::{user}:{home}:",                                "unknown password type"),
        ("u7", "u7:null :::{user}:{home}:",                           "unknown password type"),
        ("u8", "u8:Challenge::{password}:{user}:{home}:",             "unknown password type"),
        ("u9", "u9:md5::{password}:{user}:{home}:",                   "hex digest"),
        ("v0", "v0:argon2id::$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQxMg$AAAAAAAAAAAAAAAAAAAAAAAAAAA:{user}:{home}:", "cost"),
        ("v1", "v1:null::::{home}:",                                  "real user is empty"),
        ("v2", "v2:null:::{user}::",                                  "home is empty|does not start with"),
        ("v3", "v3:null:::{user}:home:",                              "does not start with"),
        ("v4", "v4:null:::{user}:{home}:ChHome",                      "not Key=Value"),
        ("v5", "v5:null:::{user}:{home}:=x",                          "settings"),
        ("v6", "v6\\:null:::{user}:{home}:",                          ""),
        ("v7", "v7:null:::{user}:{home}\u{7}:",                       "control character"),
        // No number, however written, is a user; least of all root.
        ("w0", "w0:null:::0:{home}:",                                 "no real user"),
        ("w1", "w1:null:::-1:{home}:",                                "no real user"),
        ("w2", "w2:null:::0x0:{home}:",                               "no real user"),
        ("w3", "w3:null:::4294967296:{home}:",                        "no real user"),
        ("w4", "w4:null:::4294967295:{home}:",                        "no real user"),
        ("w5", "w5:null:::root:{home}:",                              "root"),
        ("w6", "w6:null::: root:{home}:",                             "no real user"),
        ("w7", "w7:null:::+0:{home}:",                                "no real user"),
    ];
    let server = lines
        .iter()
        .fold(setup(CHEAP), |setup, (_, line, _)| setup.line(line));
    let server = server.start();
    // The tester's own line is the first.
    for (number, (name, line, why)) in (2..).zip(&lines) {
        let told = attempt(
            &mut server.connect(),
            name.as_bytes(),
            &server.login.password,
        );
        assert_eq!(told.unwrap().0, 530, "{line}");
        let logged = server
            .log
            .line_with(&[&format!("login of '{name}'"), "failed"]);
        assert!(
            why.split('|').any(|why| logged.contains(why)),
            "{line}: {logged}"
        );
        if !name.starts_with('w') && *name != "v6" {
            assert!(
                logged.contains(&format!("auth:{number}: ")),
                "{line}: {logged}"
            );
        }
    }
    server.logged_in().expect("NOOP", 200);
}

#[test]
fn attack_70_passwords_may_be_any_octets_and_old_types_are_replaced() {
    let old = "Fred:jh-384:0a1b2c:f38433def020b09841e5a4a3deb6914e0c7f2cf5e489d98d81b9f2c6e7fa524f8e3a1da11140d01f6517145bab995b72:{user}:{home}:";
    let server = setup(CHEAP)
        .flag(&["-update-pass", "argon2id"])
        .line(old)
        .line("ann:challenge::hunter2:{user}:{home}:")
        .start();
    let text = || fs::read_to_string(server.scratch.join("auth")).unwrap();
    for (user, kept) in [
        ("Fred", "\nFred:argon2id::$argon2id$v=19$"),
        ("ann", "\nann:challenge::hunter2:"),
    ] {
        for _ in 0..2 {
            let mut client = server.connect();
            client.expect(&format!("USER {user}"), 331);
            client.expect("PASS hunter2", 230);
            assert!(text().contains(kept), "{}", text());
        }
    }
    let password: Vec<u8> = (1..=255).filter(|b| !b"\r\n".contains(b)).collect();
    for kind in ["argon2id", "md5", "sha1", "sha256", "sha512", "whirlpool"] {
        let mut child = Command::new(binaries::path("ftpuser"))
            .args([
                "add",
                kind,
                "-t",
                kind,
                "--cost",
                CHEAP,
                "--password-stdin",
                "-a",
            ])
            .arg(server.scratch.join("auth"))
            .arg("--home")
            .arg(&server.home)
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&password).unwrap();
        drop(stdin);
        assert!(child.wait().unwrap().success());
        for _ in 0..2 {
            let mut client = server.connect();
            client.expect(&format!("USER {kind}"), 331);
            // Telnet's IAC is doubled on the wire.
            let doubled: Vec<u8> = password
                .iter()
                .flat_map(|&b| vec![b; if b == 255 { 2 } else { 1 }])
                .collect();
            client.send_octets(&[b"PASS ", &doubled[..], b"\r\n"].concat());
            client.expect_reply(230);
            assert!(
                text().contains(&format!("\n{kind}:argon2id::$argon2id$v=19$")),
                "{}",
                text()
            );
        }
    }
}

#[test]
fn attack_71_nothing_can_be_smuggled_into_the_file() {
    let server = setup(CHEAP).start();
    let file = server.scratch.join("auth");
    let before = fs::read(&file).unwrap();
    let long = "x".repeat(64 * 1024);
    let line = "x\nevil:null:::root:/:";
    for words in [
        &["a:null:::root:/:"][..],
        &[line],
        &["a/b"],
        &[".."],
        &[""],
        &["#a"],
        &[&long],
        &["a", "--home", "/srv:root:/"],
        &["a", "--home", "/srv\nevil:null:::root:/:"],
        &["a", "--home", &format!("/{long}")],
        &["a", "--real-user", "nobody:/:"],
        &["a", "--real-user", line],
        &["a", "--real-user", "root"],
        &["a", "--real-user", "0"],
        &["a", "Idle=1 ChShare=/"],
        &["a", "ChShare=/x\nevil:null:::root:/:"],
    ] {
        let output = Command::new(binaries::path("ftpuser"))
            .args(["add", "-t", "null", "-a"])
            .arg(&file)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(
            matches!(output.status.code(), Some(1 | 2)),
            "{words:?}: {output:?}"
        );
        assert_eq!(fs::read(&file).unwrap(), before, "{words:?}");
    }
}
