//! `PermittedCommands` in every form of MetaFTPd and those that came since: what a session may then do, and what FEAT and HELP
//! tell of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::user::ordinary;
use tests::{Scratch, Setup, binaries};

/// The verbs behind MetaFTPd's word `Basic`, X forms apart.
const BASIC: &[&str] = &[
    "NOOP", "USER", "PASS", "PORT", "CWD", "CDUP", "TYPE", "RETR", "STOR", "LIST", "NLST", "MLST",
    "MLSD", "DELE", "QUIT", "PWD", "MKD", "RMD", "RNFR", "RNTO", "PASV", "FEAT",
];

/// A list, verbs that it permits, and verbs that it does not.
type Form = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
);

#[rustfmt::skip]
const FORMS: &[Form] = &[
    ("ALL",                             &["PASV", "EPSV", "STOR", "SIZE"],   &[]),
    ("all",                             &["PASV"],                           &[]),
    ("Basic",                           BASIC,                               &["EPSV", "SIZE", "HELP", "REST"]),
    ("basic,+SIZE",                     &["SIZE", "RETR"],                   &["EPSV"]),
    ("Basic,-DELE,-RMD",                &["STOR", "MKD"],                    &["DELE", "RMD", "XRMD"]),
    ("+USER,+PASS,+RETR,+LIST,+PASV",   &["RETR", "LIST"],                   &["STOR", "NLST"]),
    ("USER,PASS,retr",                  &["RETR"],                           &["STOR"]),
    ("USER PASS RETR",                  &["RETR"],                           &["STOR"]),
    // The last word about a verb decides.
    ("ALL,-PASV",                       &["EPSV"],                           &["PASV"]),
    ("-PASV,ALL",                       &["PASV"],                           &[]),
    ("ALL,-PASV,+PASV",                 &["PASV"],                           &[]),
    ("ALL,-ALL,Basic",                  BASIC,                               &["EPSV"]),
    // Groups, which MetaFTPd did not have.
    ("ALL,-WRITE",                      &["RETR", "LIST"],                   &["STOR", "APPE"]),
    ("ALL,-WRITE,+STOR",                &["STOR"],                           &["APPE"]),
    ("LOGIN,READ,DATA",                 &["RETR", "PASV"],                   &["STOR"]),
    ("ALL,-SITE",                       &["RETR"],                           &["SITE_CHMOD", "SITE_UMASK"]),
    ("ALL,-SITE_CHMOD",                 &["SITE_UMASK"],                     &["SITE_CHMOD"]),
    ("Basic,SITE_CHMOD",                &["SITE_CHMOD"],                     &["SITE_UMASK"]),
];

/// The verbs that a login gets where this list is in the server's file, or in the entry of the user.
fn permitted(list: &str, of_user: bool) -> Vec<String> {
    let scratch = Scratch::new();
    let (file, users) = (scratch.join("ftpd.conf"), scratch.join("users"));
    let line = format!("PermittedCommands={list}");
    let (said, own) = if of_user {
        ("", line.as_str())
    } else {
        (line.as_str(), "")
    };
    fs::write(&file, format!("AuthFile={}\n{said}\n", users.display())).unwrap();
    let real_user = ordinary().name;
    fs::write(&users, format!("fred:plain::pw:{real_user}:/:{own}\n")).unwrap();
    fs::set_permissions(&users, fs::Permissions::from_mode(0o600)).unwrap();
    let output = Command::new(binaries::path("ftpd"))
        .args(["--check", "-user", "fred", "-json", "-f"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let answer: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{list}: {output:?}"));
    let verbs = answer["facts"]["PermittedCommands"]["value"]
        .as_str()
        .unwrap_or_else(|| panic!("{list}: {answer}"));
    verbs.split(' ').map(str::to_owned).collect()
}

#[test]
fn every_form_of_a_list_permits_what_it_says() {
    for (list, includes, excludes) in FORMS {
        // The last field of an entry is cut at blanks.
        for of_user in [false, true]
            .into_iter()
            .filter(|of_user| !of_user || !list.contains(' '))
        {
            let verbs = permitted(list, of_user);
            let has = |verb: &&&str| verbs.iter().any(|permitted| permitted == **verb);
            let missing: Vec<_> = includes.iter().filter(|verb| !has(verb)).collect();
            let beyond: Vec<_> = excludes.iter().filter(has).collect();
            assert!(
                missing.is_empty() && beyond.is_empty(),
                "{list}: without {missing:?}, with {beyond:?}: {verbs:?}"
            );
        }
    }
}

#[test]
fn a_list_for_all_counts_before_the_login_too() {
    let server = Setup::new()
        .setting("PermittedCommands=USER PASS QUIT FEAT")
        .start();
    let mut client = server.connect();
    client.expect("NOOP", 502);
    let features = client.expect("FEAT", 211);
    for absent in ["SIZE", "MDTM", "EPSV", "REST"] {
        assert!(!features.text().contains(absent), "{}", features.text());
    }
    client.expect("USER tester", 331);
    client.expect(&format!("PASS {}", server.login.password), 230);
    client.expect("RETR x", 550);
    client.expect("NOOP", 502);
    client.expect("QUIT", 221);
}
