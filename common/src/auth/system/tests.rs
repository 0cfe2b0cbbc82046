//! Whom passwd and shadow let in, with every kind of damage to their lines.
#![expect(
    clippy::disallowed_methods,
    reason = "the files of a test are outside of every jail"
)]

use std::fs;

use super::*;

/// yescrypt, at its lowest cost, of "correct horse".
const HASH: &str = "$y$j75$abcdefgh$Jakf0CHhzdQOivqISxvBXCIRIaxY0Fs1wJGsJSurry/";
const TODAY: u64 = 20_000;

struct System {
    files: Files,
    _directory: tempfile::TempDir,
}

impl System {
    fn new(passwd: &str, shadow: &str) -> System {
        let directory = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let files = Files {
            passwd: put("passwd", passwd),
            shadow: put("shadow", shadow),
            shells: put("shells", "# shells\n/bin/sh\n/bin/bash # of GNU\n"),
            ftpusers: put("ftpusers", "# not these\nbarred\n"),
        };
        System {
            files,
            _directory: directory,
        }
    }

    fn shadow(&self, name: &str) -> Result<SystemUser, SystemError> {
        let secret = Secret::new(b"correct horse");
        self.files
            .authenticate(Source::Shadow, name.as_bytes(), &secret, TODAY)
    }

    fn passwd(&self, name: &str) -> Result<SystemUser, SystemError> {
        let secret = Secret::new(b"correct horse");
        self.files
            .authenticate(Source::Passwd, name.as_bytes(), &secret, TODAY)
    }
}

fn told<T>(result: Result<T, SystemError>) -> String {
    match result {
        Ok(_) => "in".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_user_of_both_files_is_let_in_by_shadow() {
    let system = System::new(
        "root:x:0:0::/root:/bin/sh\nfred:x:1000:100:Fred,,,:/home/fred:/bin/bash\n",
        &format!("fred:{HASH}:19000:0:99999:7:::\n"),
    );
    let fred = system.shadow("fred").unwrap();
    assert_eq!((fred.real_user(), fred.uid()), ("fred", 1000));
    assert_eq!(fred.home(), Path::new("/home/fred"));
    let wrong = system
        .files
        .authenticate(Source::Shadow, b"fred", &Secret::new(b""), TODAY);
    assert_eq!(told(wrong), "wrong password");
    // An `x` is not a password.
    assert_eq!(
        told(system.passwd("fred")),
        "the account is locked or has no password"
    );
    for nobody in ["Fred", "fre", "fred:x", "", "#", "fred ", "root"] {
        let no_user = format!("no user {nobody}");
        assert_eq!(told(system.shadow(nobody)), no_user);
    }
}

#[test]
fn passwd_lets_in_where_it_holds_the_password() {
    let system = System::new(&format!("fred:{HASH}:1000:100::/home/fred:\n"), "");
    assert_eq!(told(system.passwd("fred")), "in");
}

#[test]
fn an_account_that_may_not_log_in_is_refused() {
    for (password, aging, why) in [
        ("", "::::::", "the account is locked or has no password"),
        ("*", "::::::", "the account is locked or has no password"),
        ("!", "::::::", "the account is locked or has no password"),
        (
            &format!("!{HASH}")[..],
            "::::::",
            "the account is locked or has no password",
        ),
        (HASH, "::::::", "in"),
        (HASH, "19000:0:1000:7:::", "in"),
        (HASH, "19000:0:999:7:::", "the password has expired"),
        (HASH, "19000:0:999:7:30::", "the password has expired"),
        (HASH, "0:0:99999:7:::", "the password has expired"),
        (HASH, ":::::20001:", "in"),
        (HASH, ":::::20000:", "the account has expired"),
        (HASH, ":::::0:", "the account has expired"),
    ] {
        let system = System::new(
            "fred:x:1000:100::/home/fred:/bin/sh\n",
            &format!("fred:{password}:{aging}\n"),
        );
        assert_eq!(told(system.shadow("fred")), why, "{password}:{aging}");
    }
}

#[test]
fn shells_root_and_the_list_of_users_are_asked_once_the_password_is_right() {
    let passwd = |uid: &str, shell: &str| format!("fred:{HASH}:{uid}:100::/home/fred:{shell}\n");
    for (uid, shell, why) in [
        ("1000", "", "in"),
        ("1000", "/bin/bash", "in"),
        (
            "1000",
            "/usr/sbin/nologin",
            "the shell \"/usr/sbin/nologin\" is not one of /etc/shells",
        ),
        (
            "1000",
            "# shells",
            "the shell \"# shells\" is not one of /etc/shells",
        ),
        ("0", "/bin/sh", "the account is root's, which is refused"),
        ("00", "/bin/sh", "the account is root's, which is refused"),
    ] {
        let system = System::new(&passwd(uid, shell), "");
        assert_eq!(told(system.passwd("fred")), why, "{uid} {shell}");
    }
    let system = System::new(&format!("barred:{HASH}:1000:100::/:\n"), "");
    assert!(told(system.passwd("barred")).ends_with("ftpusers names the user"));
    // Without a list of shells the two that getusershell(3) names are valid.
    for (shell, why) in [
        ("/bin/csh", "in"),
        (
            "/bin/bash",
            "the shell \"/bin/bash\" is not one of /etc/shells",
        ),
    ] {
        let system = System::new(&passwd("1000", shell), "");
        fs::remove_file(&system.files.shells).unwrap();
        assert_eq!(told(system.passwd("fred")), why);
    }
}

#[test]
fn attack_69_a_damaged_line_denies_its_user_and_tells_file_and_line() {
    let good = ["fred", HASH, "1000", "100", "", "/home/fred", "/bin/sh"];
    let damages: &[(usize, &str, &str)] = &[
        (2, "", "uid"),
        (2, "-1", "uid"),
        (2, "+1000", "uid"),
        (2, " 1000", "uid"),
        (2, "0x0", "uid"),
        (2, "1000x", "uid"),
        (2, "4294967295", "uid"),
        (2, "4294967296", "uid"),
        (2, "18446744073709551616", "uid"),
        (3, "", "gid"),
        (3, "-1", "gid"),
        (3, "4294967296", "gid"),
        (5, "", "home"),
        (5, "home/fred", "home"),
        (5, "/home\u{7}", "home"),
        (6, "/bin/sh:", "7 fields"),
        (1, "abJnggxhB/yWI", "hash"),
        (1, "$6$salt$cut", "hash"),
        (1, "$6$rounds=999999999$salt$cut", "hash"),
        (1, "plain", "hash"),
    ];
    for &(field, text, what) in damages {
        let mut fields = good;
        fields[field] = text;
        let line = fields.join(":");
        let other = good.join(":").replace("fred", "wilma");
        let system = System::new(&format!("# first\n{line}\n{other}\n"), "");
        let error = told(system.passwd("fred"));
        assert!(
            error.contains("passwd:2: ") && error.contains(what),
            "{line}: {error}"
        );
        assert_eq!(told(system.passwd("wilma")), "in");
    }
    let whole = good.join(":");
    for end in "fred".len()..whole.len() - "/bin/sh".len() {
        let system = System::new(&whole[..end], "");
        assert_ne!(told(system.passwd("fred")), "in", "{}", &whole[..end]);
    }
}

#[test]
fn attack_69_damage_in_shadow_denies_too() {
    let good = ["fred", HASH, "19000", "0", "99999", "7", "", "", ""];
    for field in 2..8 {
        for text in ["-1", "x", "0x0", " ", "1.5", "18446744073709551616"] {
            let mut fields = good;
            fields[field] = text;
            let system = System::new(
                "fred:x:1000:100::/home/fred:/bin/sh\n",
                &format!("{}\n", fields.join(":")),
            );
            let error = told(system.shadow("fred"));
            assert!(error.contains("shadow:1: the "), "{field} {text}: {error}");
        }
    }
    let system = System::new("fred:x:1000:100::/home/fred:/bin/sh\n", "fred:\n");
    assert!(told(system.shadow("fred")).contains("shadow:1: the line does not have 9 fields"));
    let long = format!("fred:{}", "x".repeat(LONGEST_LINE));
    let system = System::new(&long, "");
    assert!(told(system.shadow("fred")).contains("passwd:1: the line is too long"));
    // The first line decides.
    let system = System::new(&format!("fred\nfred:{HASH}:1000:100::/:\n"), "");
    assert!(told(system.passwd("fred")).contains("passwd:1: the line does not have 7 fields"));
}
