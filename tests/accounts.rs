//! Which accounts may log in: their own rules, the server's lists of users, and what is written wrong in either.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::os::unix::fs::PermissionsExt;
use std::time::SystemTime;

use nix::unistd::Group;
use tests::user::ordinary;
use tests::{Data, Server, Setup};

/// A server that answers guesses at once and without end.
fn setup() -> Setup {
    Setup::new()
        .setting("LoginFailDelay=0")
        .setting("MaxLoginFails=100")
        .setting("Penalty=0")
        .setting("PasswordCost=m=8,t=1,p=1")
}

/// Tries to log in with the right password; returns the reply to it.
fn login(server: &Server, name: &str) -> String {
    let mut client = server.connect();
    client.expect(&format!("USER {name}"), 331);
    let reply = client.command(&format!("PASS {}", server.login.password));
    format!("{} {}", reply.code, reply.text())
}

/// What every refusal is answered with: the answer to a wrong password.
fn refusal(server: &Server) -> String {
    let mut client = server.connect();
    client.expect("USER tester", 331);
    format!("530 {}", client.expect("PASS wrong", 530).text())
}

/// A day of the week that is neither today nor next to it in any zone.
fn another_day() -> &'static str {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let days = now.unwrap().as_secs() / 86_400;
    // The first day of the era was a Thursday.
    ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(days as usize + 3) % 7]
}

#[test]
fn an_account_is_refused_by_its_rules_and_the_log_says_which() {
    let hours = format!("LoginHours={}", another_day());
    let rules = [
        ("Enabled=no", "Enabled: the account is disabled"),
        (
            "Expires=2020-02-29",
            "Expires: the account's last day was 2020-02-29",
        ),
        (
            "AllowedNetworks=10.0.0.0/8,::/0",
            "AllowedNetworks: 127.0.0.1 is in none of them",
        ),
        (&hours, "LoginHours: it is"),
        (
            "Enabled=maybe",
            "user setting: Enabled: \"maybe\" is not yes or no",
        ),
        (
            "Expires=2027-02-30",
            "user setting: Expires: \"2027-02-30\" is not a day",
        ),
        (
            "AllowedNetworks=127.0.0.1/8",
            "user setting: AllowedNetworks: \"127.0.0.1/8\" has bits behind",
        ),
        (
            "AllowedNetworks=127.0.0.0/33",
            "user setting: AllowedNetworks: \"127.0.0.0/33\" is not",
        ),
        (
            "LoginHours=00:00-25:00",
            "user setting: LoginHours: \"00:00-25:00\" is not",
        ),
        ("LoginHours=", "user setting: LoginHours: \"\" is not"),
        ("Nonsense=1", "user setting: unknown key \"Nonsense\""),
        (
            "AuthFile=/tmp/x",
            "AuthFile is a setting of the server, not of a user",
        ),
        ("Enabled", "settings hold a word that is not Key=Value"),
    ];
    let accounts = rules.iter().enumerate();
    let server = accounts
        .fold(setup(), |setup, (number, (settings, _))| {
            setup.account(&format!("user{number}"), "plain", settings)
        })
        .start();
    let expected = refusal(&server);
    for (number, (settings, logged)) in rules.iter().enumerate() {
        let name = format!("user{number}");
        assert_eq!(login(&server, &name), expected, "{settings}");
        let line = server
            .log
            .line_with(&[&format!("login of '{name}'"), "failed"]);
        assert!(line.contains(logged), "{settings}: {line}");
    }
    // None of them harms another user.
    server.logged_in().expect("NOOP", 200);
}

#[test]
fn rules_that_hold_let_in() {
    let rules = [
        "Enabled=yes",
        "Expires=2999-12-31",
        "AllowedNetworks=10.0.0.0/8,127.0.0.0/8",
        "LoginHours=Mon-Sun",
        "LoginHours=00:00-12:00,12:00-24:00 Enabled=yes Expires=2999-12-31 AllowedNetworks=127.0.0.1",
    ];
    let accounts = rules.iter().enumerate();
    let server = accounts
        .fold(setup(), |setup, (number, settings)| {
            setup.account(&format!("user{number}"), "plain", settings)
        })
        .start();
    for (number, settings) in rules.iter().enumerate() {
        let reply = login(&server, &format!("user{number}"));
        assert!(reply.starts_with("230"), "{settings}: {reply}");
    }
}

#[test]
fn a_rule_of_the_server_is_for_all_who_have_none_of_their_own() {
    let server = setup()
        .setting("AllowedNetworks=10.0.0.0/8")
        .account("near", "plain", "AllowedNetworks=127.0.0.0/8")
        .start();
    assert_eq!(login(&server, "tester"), refusal(&server));
    assert!(login(&server, "near").starts_with("230"));
}

#[test]
fn denied_users_stay_out_in_any_case_and_spelling() {
    let group = Group::from_gid(ordinary().gid).unwrap().unwrap().name;
    for list in [
        "fred,root",
        "root fred",
        "FR?D",
        "f*",
        "*",
        &format!("@{group}"),
    ] {
        let server = setup()
            .setting(&format!("DenyUsers={list}"))
            .account("Fred", "plain", "")
            .start();
        let expected = refusal(&server);
        for name in ["Fred", "fred", "FRED"] {
            assert_eq!(login(&server, name), expected, "{list}: {name}");
        }
        server
            .log
            .line_with(&["login of 'FRED'", "DenyUsers: names this user"]);
    }
}

#[test]
fn only_allowed_users_come_in_where_there_is_such_a_list() {
    let server = setup()
        .setting("AllowUsers=fred, guest*")
        .setting("DenyUsers=guest7")
        .account("Fred", "plain", "")
        .account("guest1", "plain", "")
        .account("guest7", "plain", "")
        .start();
    for name in ["fred", "FRED", "guest1"] {
        assert!(login(&server, name).starts_with("230"), "{name}");
    }
    let expected = refusal(&server);
    for name in ["tester", "guest7", "nobody-knows"] {
        assert_eq!(login(&server, name), expected, "{name}");
    }
    server
        .log
        .line_with(&["login of 'tester'", "AllowUsers: does not name this user"]);
}

#[test]
fn the_other_name_of_anonymous_comes_in_where_a_list_has_both() {
    for (list, other) in [("anonymous,ftp", true), ("anonymous", false)] {
        let server = setup()
            .setting(&format!("AllowUsers={list}"))
            .account("anonymous", "null", "")
            .start();
        assert!(login(&server, "anonymous").starts_with("230"), "{list}");
        assert_eq!(login(&server, "ftp").starts_with("230"), other, "{list}");
    }
}

#[test]
fn a_list_with_a_group_that_is_not_there_lets_nobody_in() {
    for list in ["AllowUsers=@no-such-group", "DenyUsers=@no-such-group"] {
        let server = setup().setting(list).start();
        assert_eq!(login(&server, "tester"), refusal(&server), "{list}");
    }
}

#[test]
fn anonymous_has_another_name_and_a_umask_of_its_own() {
    let server = setup()
        .account("anonymous", "null", "PermittedCommands=ALL")
        .account("guest", "null", "PermittedCommands=ALL Umask=027")
        .start();
    for (name, mode) in [("ftp", 0o600), ("FTP", 0o600), ("guest", 0o640)] {
        let mut client = server.connect();
        client.login(name, "me@example.org");
        client.upload(Data::Epsv, "new", b"content");
        let metadata = std::fs::metadata(server.home.join("new")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{name}");
        client.expect("DELE new", 250);
    }
    server.log.line_with(&["login of 'FTP' from"]);
}

#[test]
fn who_is_denied_is_denied_under_the_other_name() {
    let server = setup()
        .account("anonymous", "null", "")
        .setting("DenyUsers=anonymous")
        .start();
    assert_eq!(login(&server, "ftp"), refusal(&server));
}

#[test]
fn passwords_are_kept_in_the_new_way_after_a_login() {
    for (start, kind) in [(Setup::new(), "argon2id"), (Setup::rootless(), "sha-512")] {
        let server = start
            .setting("LoginFailDelay=0")
            .setting("MaxLoginFails=100")
            .setting("Penalty=0")
            .setting("PasswordCost=m=8,t=1,p=1")
            .flag(&["-update-pass", kind])
            .account("anonymous", "null", "")
            .start();
        let file = server.scratch.join("auth");
        let before = std::fs::read_to_string(&file).unwrap();
        refusal(&server);
        assert!(login(&server, "anonymous").starts_with("230"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
        for _ in 0..2 {
            assert!(login(&server, "TESTER").starts_with("230"));
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.starts_with(&format!("tester:{kind}:")), "{text}");
            assert!(!text.lines().next().unwrap().contains("correct horse"));
            assert!(text.contains("\nanonymous:null:"), "{text}");
            assert_eq!(
                std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
        server
            .log
            .line_with(&["password of 'tester' is kept as", kind]);
    }
}

/// "correct horse", made with mkpasswd(1) of the package whois.
const CRYPTED: [(&str, &str); 5] = [
    (
        "yescrypt",
        "$y$j9T$lR49j/Sz26MZNaTOMFaS3.$NrGZVeA.rCBSsX2lBt/bvK1W5fRk3tQhpd4e0ZP8dmC",
    ),
    (
        "bcrypt",
        "$2b$05$dvovuIscu1GFB6kpT.DGxekxYndK7xDbHHdQjnsXpFJTD94yqOvYG",
    ),
    (
        "sha512",
        "$6$vG4LFF5n2xaalH1c$.tNcjDbCi/VJGzD6WNayrrb55iWC3x2EzjR.sndYb7NXE7OC7goJtISN2AFB6KM3o6MIz1p5/qOfcn1cRoPZg0",
    ),
    (
        "sha256",
        "$5$I0j.Mcq8KoIPubsi$GWzWSfDZ1PcqXYSg1SNn1yfdPBYXP5tAQ1azRPB5Ig6",
    ),
    ("md5", "$1$ZtBx55hy$Mw1lngH1ud8zWcAnkAIka/"),
];

#[test]
fn hashes_of_crypt_let_in_and_are_replaced() {
    let server = CRYPTED
        .iter()
        .fold(setup(), |setup, (name, hash)| setup.line(&format!("{name}:crypt::{hash}:{{user}}:{{home}}:")))
        .line("locked:crypt::!$1$N9nC60I9$KeBmCD9jmIv8S143pVJrf1:{user}:{home}:")
        .line("costly:crypt::$2b$31$PsA7uAn4PoIjFmmdTyMjNuUxpWVZ3vj38tW4AnRsf10GBGKlX7DFu:{user}:{home}:")
        .flag(&["-update-pass", "argon2id"])
        .start();
    let expected = refusal(&server);
    for (name, _) in CRYPTED {
        let mut client = server.connect();
        client.expect(&format!("USER {name}"), 331);
        client.expect("PASS Correct horse", 530);
        for _ in 0..2 {
            assert!(login(&server, name).starts_with("230"), "{name}");
        }
        let text = std::fs::read_to_string(server.scratch.join("auth")).unwrap();
        assert!(
            text.contains(&format!("\n{name}:argon2id::$argon2id$")),
            "{text}"
        );
    }
    for name in ["locked", "costly"] {
        assert_eq!(login(&server, name), expected);
        server
            .log
            .line_with(&[&format!("login of '{name}'"), "secret is wrong"]);
    }
}
