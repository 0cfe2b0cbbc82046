//! Whom the servers let in: as root a system user of this run, with a PAM service for vsftpd, else the user who runs
//! this. The password is random and dies with the run. It leaves nothing behind.

use std::ffi::CStr;
use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{self, Command, Stdio};

use nix::unistd::{Gid, Uid, User, geteuid};

use crate::client::Credentials;
use crate::undo::{self, Undo};

const NAME: &str = "ftpd-bench";
/// With the number of the process: tells a user of a running benchmark from one of a run that was killed.
const COMMENT: &str = "ftpd benchmark ";
pub(crate) const PAM_SERVICE: &str = "ftpd-bench";
const PAM_FILE: &str = "/etc/pam.d/ftpd-bench";
const PAM_RULES: &str = "\
# Made by ftpd's benchmark for one run; safe to remove.
auth required pam_unix.so
account required pam_permit.so
session required pam_permit.so
";

#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) credentials: Credentials,
    /// Who must own the data, where that is not the user who runs this.
    pub(crate) owner: Option<(Uid, Gid)>,
    _undo: Option<Undo>,
}

impl Account {
    pub(crate) fn create(home: &Path) -> io::Result<Self> {
        let password = random_password()?;
        let uid = geteuid();
        if uid.is_root() {
            return Self::system_user(home, password);
        }
        let user = User::from_uid(uid)?
            .ok_or_else(|| io::Error::other(format!("user number {uid} has no name")))?;
        Ok(Self {
            credentials: Credentials {
                user: user.name,
                password,
            },
            owner: None,
            _undo: None,
        })
    }

    fn system_user(home: &Path, password: String) -> io::Result<Self> {
        clear_the_way()?;
        let undo = undo::at_end(|| {
            let _ = run("/usr/sbin/userdel", &[NAME], "");
            let _ = fs::remove_file(PAM_FILE);
        });
        let comment = format!("{COMMENT}{}", process::id());
        let home = home
            .to_str()
            .ok_or_else(|| io::Error::other("the scratch directory has a strange name"))?;
        run(
            "/usr/sbin/useradd",
            &[
                "--system",
                "--no-create-home",
                "--home-dir",
                home,
                "--shell",
                "/usr/sbin/nologin",
                "--comment",
                &comment,
                NAME,
            ],
            "",
        )?;
        // One hash for all servers, and a cheap one: the server is to be measured, not the hash.
        let hash = run(
            "perl",
            &[
                "-e",
                "chomp(my $p = <STDIN>); print crypt($p, q($6$rounds=1000$benchmark))",
            ],
            &password,
        )?;
        run(
            "/usr/sbin/chpasswd",
            &["--encrypted"],
            &format!("{NAME}:{hash}\n"),
        )?;
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(PAM_FILE)?
            .write_all(PAM_RULES.as_bytes())?;
        let user =
            User::from_name(NAME)?.ok_or_else(|| io::Error::other("useradd made no user"))?;
        Ok(Self {
            credentials: Credentials {
                user: user.name,
                password,
            },
            owner: Some((user.uid, user.gid)),
            _undo: Some(undo),
        })
    }
}

/// Removes what a killed run left; refuses to touch what is somebody else's.
fn clear_the_way() -> io::Result<()> {
    if let Some(user) = User::from_name(NAME)? {
        if !left_over(&user.gecos) {
            return Err(io::Error::other(format!(
                "the user {NAME} exists and belongs to a running benchmark or to somebody else"
            )));
        }
        run("/usr/sbin/userdel", &[NAME], "")?;
    }
    if fs::read(PAM_FILE).is_ok_and(|rules| rules == PAM_RULES.as_bytes()) {
        fs::remove_file(PAM_FILE)?;
    }
    if Path::new(PAM_FILE).exists() {
        return Err(io::Error::other(format!(
            "{PAM_FILE} exists and is not ours"
        )));
    }
    Ok(())
}

fn left_over(comment: &CStr) -> bool {
    let number = comment
        .to_str()
        .ok()
        .and_then(|comment| comment.strip_prefix(COMMENT))
        .and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| !Path::new("/proc").join(number.to_string()).exists())
}

fn random_password() -> io::Result<String> {
    let mut bytes = [0; 8];
    fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Runs a program to its end and gives its output; a bad exit status is an error with what it said.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> io::Result<String> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|cause| io::Error::other(format!("{program}: {cause}")))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read its input may have closed it; its status says whether that matters.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "{program}: {}: {}",
        output.status,
        said.trim()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_of_a_dead_run_is_left_over() {
        assert!(left_over(c"ftpd benchmark 4194305")); // above any process number that Linux gives
        assert!(!left_over(c"ftpd benchmark 1"));
        assert!(!left_over(c"somebody"));
    }

    #[test]
    fn a_program_that_fails_is_an_error_with_its_words() {
        let error = run("sh", &["-c", "echo no such luck >&2; exit 3"], "").unwrap_err();
        assert!(error.to_string().contains("no such luck"), "{error}");
        assert_eq!(run("cat", &[], "through").unwrap(), "through");
    }
}
