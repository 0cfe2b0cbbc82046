//! Users that other servers' own programs have made, taken over by `ftpuser import`, log in with their passwords.
#![expect(clippy::unwrap_used, reason = "what fails here shall end the test")]

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::fed::fed;
use tests::user::{Account, ordinary};
use tests::{Scratch, Setup, binaries, require};

/// Runs a program with a text to read, and expects that it succeeds.
fn run(program: impl AsRef<OsStr>, words: &[&str], stdin: &str) -> Output {
    let output = fed(Command::new(&program).args(words), stdin);
    assert!(output.status.success(), "{words:?}: {output:?}");
    output
}

/// Imports a source, and has each of these users log in with the tester's password.
fn log_in(form: &str, source: &Path, more: &[&str], names: &[&str]) {
    let user = ordinary().name;
    let users = source.with_file_name("users");
    let mut words = vec!["import", "--from", form, source.to_str().unwrap()];
    words.extend(["-a", users.to_str().unwrap(), "-u", &user]);
    words.extend(more);
    run(binaries::path("ftpuser"), &words, "");
    let imported = fs::read_to_string(&users).unwrap();
    assert_eq!(imported.lines().count(), names.len(), "{imported}");
    let setup = Setup::new()
        .setting("LoginFailDelay=0")
        .setting("PasswordCost=m=8,t=1,p=1");
    let server = imported.lines().fold(setup, Setup::line).start();
    for name in names {
        let mut client = server.connect();
        client.expect(&format!("USER {name}"), 331);
        client.expect(&format!("PASS {}", server.login.password), 230);
    }
    // pure-pw's hash takes seconds; wrong passwords for each method are tried elsewhere.
    if let [first, _, ..] = names {
        let mut client = server.connect();
        client.expect(&format!("USER {first}"), 331);
        client.expect("PASS wrong", 530);
    }
}

/// A directory of the test's own, and the words that make it the home of those who have none.
fn place() -> (Scratch, Vec<String>) {
    let scratch = Scratch::new();
    let home = scratch.path().to_str().unwrap().to_owned();
    (scratch, vec!["--home".to_owned(), home])
}

fn words(of: &[String]) -> Vec<&str> {
    of.iter().map(String::as_str).collect()
}

/// Every method that htpasswd(1) has, its default among them.
#[test]
fn users_of_htpasswd_log_in() {
    if !require::programs(&["htpasswd"]) {
        return;
    }
    let (scratch, home) = place();
    let source = scratch.join("htpasswd");
    fs::write(&source, "").unwrap();
    let methods = [
        ("default", "-b"),
        ("apr1", "-bm"),
        ("bcrypt", "-bB"),
        ("sha256", "-b2"),
        ("sha512", "-b5"),
        ("des", "-bd"),
        ("sha1", "-bs"),
    ];
    for (name, method) in methods {
        let password = Account::tester().password;
        let file = source.to_str().unwrap();
        run("htpasswd", &[method, file, name, &password], "");
    }
    log_in(
        "htpasswd",
        &source,
        &words(&home),
        &methods.map(|(name, _)| name),
    );
}

#[test]
fn users_of_ftpasswd_log_in() {
    let Some(ftpasswd) = binaries::peer("proftpd-core", "ftpasswd") else {
        require::missing("ftpasswd, as packaging/peers.sh unpacks it");
        return;
    };
    let (scratch, _) = place();
    let source = scratch.join("passwd");
    let user = ordinary();
    let methods = ["--md5", "--sha256", "--sha512", "--des"];
    for method in methods {
        let of_user = [
            format!("--name={}", &method[2..]),
            format!("--file={}", source.display()),
            format!("--home={}", scratch.path().display()),
            format!("--uid={}", user.uid),
            format!("--gid={}", user.gid),
        ];
        let mut line = vec!["--passwd", "--stdin", "--shell=/bin/sh", method];
        line.extend(words(&of_user));
        run(&ftpasswd, &line, &Account::tester().password);
    }
    log_in("proftpd", &source, &[], &methods.map(|method| &method[2..]));
}

/// Its argon2id makes many passes over little memory.
#[test]
fn users_of_pure_pw_log_in() {
    let Some(pure_pw) = unpacked("pure-ftpd", "usr/bin/pure-pw") else {
        return;
    };
    let (scratch, _) = place();
    let source = scratch.join("pureftpd.passwd");
    let user = ordinary().uid.to_string();
    let password = Account::tester().password;
    let (file, home) = (source.to_str().unwrap(), scratch.path().to_str().unwrap());
    run(
        &pure_pw,
        &[
            "useradd", "pure", "-u", &user, "-g", &user, "-d", home, "-f", file,
        ],
        &format!("{password}\n{password}\n"),
    );
    log_in("pure-ftpd", &source, &[], &["pure"]);
}

/// The table of pam_userdb is given as text, or as what is printed of it.
#[test]
fn users_of_pam_userdb_log_in() {
    let (scratch, home) = place();
    let source = scratch.join("logins");
    let password = Account::tester().password;
    fs::write(&source, format!("one\n{password}\ntwo\n{password}\n")).unwrap();
    log_in("pam-userdb", &source, &words(&home), &["one", "two"]);

    if !require::programs(&["db5.3_load", "db5.3_dump"]) {
        return;
    }
    let (scratch, home) = place();
    let table = scratch.join("logins.db");
    let table = table.to_str().unwrap();
    let text = source.to_str().unwrap();
    run("db5.3_load", &["-T", "-t", "hash", "-f", text, table], "");
    let refused = Command::new(binaries::path("ftpuser"))
        .args(["import", "--from", "vsftpd", table])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let told = String::from_utf8(refused.stderr).unwrap();
    assert!(told.contains("--from pam-userdb reads"), "{told}");
    let dumped = scratch.join("dumped");
    fs::write(&dumped, run("db5.3_dump", &["-p", table], "").stdout).unwrap();
    log_in("pam-userdb", &dumped, &words(&home), &["one", "two"]);
}

/// A program that `packaging/peers.sh` unpacks; `None` if the test may not go on.
fn unpacked(package: &str, program: &str) -> Option<PathBuf> {
    let path = binaries::unpacked(package).map(|directory| directory.join(program));
    let path = path.filter(|path| path.exists());
    if path.is_none() {
        require::missing(&format!(
            "{program} of {package}, as packaging/peers.sh unpacks it"
        ));
    }
    path
}
