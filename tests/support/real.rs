//! The clients that people have: each moves a whole tree up and down. Judges nothing but their exit status.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Command;

use crate::fed::fed;
use crate::scratch::Scratch;
use crate::server::{Led, Login};
use crate::tree;

/// Who opens data connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Passive,
    Active,
}

/// A client that is run as a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Curl,
    Lftp,
    Tnftp,
    Wget,
    Python,
}

impl Program {
    pub const ALL: [Program; 5] = [
        Program::Curl,
        Program::Lftp,
        Program::Tnftp,
        Program::Wget,
        Program::Python,
    ];

    /// The name of the executable.
    pub fn name(self) -> &'static str {
        match self {
            Program::Curl => "curl",
            Program::Lftp => "lftp",
            Program::Tnftp => "tnftp",
            Program::Wget => "wget",
            Program::Python => "python3",
        }
    }

    /// Whether it can upload at all.
    pub fn uploads(self) -> bool {
        self != Program::Wget
    }

    /// Whether it can open data connections this way. Over the IPv6 loopback lftp 4.9 names `::` in EPRT instead of
    /// its own address, which a server that connects to its client only has to refuse.
    /// And from 7.87.0 to 7.88.1 curl sends files in the clear on active connections, whatever it was told.
    pub fn can(self, mode: Mode, login: &Login) -> bool {
        match (self, mode) {
            (Program::Lftp, Mode::Active) => login.address.is_ipv4(),
            (Program::Curl, Mode::Active) => {
                login.certificate.is_none() || !curl_forgets_tls_where_it_is_active()
            }
            _ => true,
        }
    }

    /// Uploads the tree `local` as the new directory `remote`.
    #[track_caller]
    pub fn up(self, login: &Login, mode: Mode, local: &Path, remote: &str) {
        match self {
            Program::Curl => curl_tree(login, mode, local, |file| {
                let url = format!("url = \"{}\"\n", url(login, &format!("/{remote}/{file}")));
                format!("{url}upload-file = \"{}\"\n", quoted(&local.join(file)))
            }),
            Program::Lftp => {
                let script = format!("mirror -R \"{}\" \"/{remote}\"", quoted(local));
                lftp(login, mode, &script);
            }
            Program::Tnftp => {
                let mut script = format!("mkdir \"/{remote}\"\n");
                for directory in directories(local) {
                    let _ = writeln!(script, "mkdir \"/{remote}/{directory}\"");
                }
                for file in names(local) {
                    let _ = writeln!(
                        script,
                        "put \"{}\" \"/{remote}/{file}\"",
                        quoted(&local.join(&file))
                    );
                }
                tnftp(login, mode, &script);
            }
            Program::Wget => panic!("wget cannot upload"),
            Program::Python => python(
                login,
                mode,
                &["up", local.to_str().unwrap(), &format!("/{remote}")],
            ),
        }
    }

    /// Downloads the directory `remote` as the new tree `local`; `like` is what it should look like, for the clients
    /// that must be told every name.
    #[track_caller]
    pub fn down(self, login: &Login, mode: Mode, remote: &str, local: &Path, like: &Path) {
        match self {
            Program::Curl => curl_tree(login, mode, like, |file| {
                let url = format!("url = \"{}\"\n", url(login, &format!("/{remote}/{file}")));
                format!("{url}output = \"{}\"\n", quoted(&local.join(file)))
            }),
            Program::Lftp => lftp(
                login,
                mode,
                &format!("mirror \"/{remote}\" \"{}\"", quoted(local)),
            ),
            Program::Tnftp => {
                let mut script = String::new();
                for directory in directories(like) {
                    fs::create_dir_all(local.join(directory)).unwrap();
                }
                for file in names(like) {
                    let _ = writeln!(
                        script,
                        "get \"/{remote}/{file}\" \"{}\"",
                        quoted(&local.join(&file))
                    );
                }
                tnftp(login, mode, &script);
            }
            Program::Wget => wget(login, mode, remote, local),
            Program::Python => python(
                login,
                mode,
                &["down", &format!("/{remote}"), local.to_str().unwrap()],
            ),
        }
    }
}

/// Runs curl with arguments of the caller's; `curl("", …)` names no path.
#[track_caller]
pub fn curl(login: &Login, mode: Mode, path: &str, arguments: &[&str]) {
    let mut command = Command::new("curl");
    command
        .args(curl_flags(mode))
        .arg("--globoff")
        .args(arguments)
        .arg(url(login, path));
    finish(command.arg("--config").arg("-"), &credentials(login));
}

fn curl_flags(mode: Mode) -> Vec<&'static str> {
    let mut flags = vec!["--disable", "--silent", "--show-error", "--fail"];
    if mode == Mode::Active {
        flags.extend(["--ftp-port", "-"]);
    }
    flags
}

/// What curl reads: who logs in. A name with a colon goes into the URL, see [`url`].
fn credentials(login: &Login) -> String {
    let mut text = String::new();
    if !login.name.contains(':') {
        text = format!("user = \"{}:{}\"\n", login.name, login.password);
    }
    let Some(led) = &login.led else { return text };
    let lines = led.lines();
    if login.name == led.name {
        // The gateway refuses a name without a server, and this is what curl says then.
        let _ = writeln!(text, "ftp-alternative-to-user = \"{}\"", lines[0]);
    }
    // With a star they may fail: on a connection that is used again they have been said before.
    for line in lines {
        let _ = writeln!(text, "quote = \"*{line}\"");
    }
    text
}

/// Whether this curl is one of those.
pub fn curl_forgets_tls_where_it_is_active() -> bool {
    let said = Command::new("curl").arg("--version").output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    ["curl 7.87.", "curl 7.88."]
        .iter()
        .any(|version| said.starts_with(version))
}

/// So many transfers of curl's run side by side.
const CURLS: usize = 4;

/// Moves files. curl 7.88 sleeps a whole second where the reply to EPSV comes before it waits for it, as it may on the loopback
/// interface, whatever the server. Another transfer at its side wakes it, or does its work meanwhile.
#[track_caller]
fn curl_tree(login: &Login, mode: Mode, files: &Path, entry: impl Fn(&str) -> String + Sync) {
    let files = names(files);
    let share = match login.certificate {
        None => files.len(),
        // Under TLS the transfers of one curl share their sessions: a data connection would resume that of another control
        // connection.
        Some(_) => files.len().div_ceil(CURLS),
    };
    std::thread::scope(|scope| {
        for files in files.chunks(share.max(1)) {
            scope.spawn(|| curl_files(login, mode, files, &entry));
        }
    });
}

fn curl_files(login: &Login, mode: Mode, files: &[String], entry: impl Fn(&str) -> String) {
    let mut configuration = credentials(login);
    if let Some(certificate) = &login.certificate {
        let _ = writeln!(
            configuration,
            "ssl-reqd\ncacert = \"{}\"",
            quoted(certificate)
        );
    }
    for file in files {
        configuration.push_str(&entry(file));
    }
    let mut command = Command::new("curl");
    command.args(curl_flags(mode));
    if login.certificate.is_none() {
        command.args(["--parallel", "--parallel-max", &CURLS.to_string()]);
    }
    command.args([
        "--no-progress-meter",
        "--fail-early",
        "--ftp-create-dirs",
        "--create-dirs",
        "--config",
        "-",
    ]);
    finish(&mut command, &configuration);
}

#[track_caller]
fn lftp(login: &Login, mode: Mode, script: &str) {
    let passive = if mode == Mode::Passive { "on" } else { "off" };
    let tls = match &login.certificate {
        None => "set ftp:ssl-allow no".to_owned(),
        Some(certificate) => format!(
            "set ftp:ssl-force yes\nset ftp:ssl-protect-data yes\nset ftp:ssl-protect-list yes\n\
             set ssl:check-hostname no\nset ssl:ca-file \"{}\"",
            quoted(certificate)
        ),
    };
    let lines = login.led.iter().flat_map(Led::lines);
    let led: String = lines.map(|line| format!("quote {line}\n")).collect();
    // FEAT is asked before that, of somebody else.
    let features = if login.led.is_some() { "no" } else { "yes" };
    let script = format!(
        "set cmd:fail-exit yes\nset net:timeout 30\nset net:max-retries 1\nset ftp:use-mode-z no\n{tls}\n\
         set ftp:use-feat {features}\n\
         set ftp:passive-mode {passive}\nset ftp:charset UTF-8\nset file:charset UTF-8\nset ftp:list-options -a\n\
         open -u \"{},{}\" \"ftp://{}\"\n{led}{script}\n",
        login.name, login.password, login.address,
    );
    finish(&mut Command::new("lftp"), &script);
}

#[track_caller]
fn tnftp(login: &Login, mode: Mode, script: &str) {
    let mut command = Command::new("tnftp");
    command.args([
        "-n",
        "-i",
        "-V",
        if mode == Mode::Passive { "-p" } else { "-A" },
    ]);
    let script = format!(
        "open {} {}\nuser {} \"{}\"\nbinary\n{script}bye\n",
        login.address.ip(),
        login.address.port(),
        login.name,
        login.password
    );
    finish(&mut command, &script);
}

#[track_caller]
fn wget(login: &Login, mode: Mode, remote: &str, local: &Path) {
    let mut command = Command::new("wget");
    command.args([
        "--no-config",
        "--no-verbose",
        "--tries=1",
        "--timeout=30",
        "--recursive",
        "--level=inf",
    ]);
    command.args([
        "--no-host-directories",
        &format!("--cut-dirs={}", remote.split('/').count()),
        "--no-parent",
        "--restrict-file-names=nocontrol",
    ]);
    command
        .args(["--no-remove-listing", "--input-file=-"])
        .arg("--directory-prefix")
        .arg(local);
    if mode == Mode::Active {
        command.arg("--no-passive-ftp");
    }
    let escaped = login.password.replace(' ', "%20");
    let url = url(login, &format!("/{remote}/"))
        .replace("ftp://", &format!("ftp://{}:{escaped}@", login.name));
    finish(&mut command, &format!("{url}\n"));
    // Its record of every listing, which --no-remove-listing keeps for a look at failures.
    for file in tree::files(local) {
        if file.file_name().unwrap() == ".listing" {
            fs::remove_file(local.join(file)).unwrap();
        }
    }
}

#[track_caller]
fn python(login: &Login, mode: Mode, arguments: &[&str]) {
    let mut command = Command::new("python3");
    command.arg("-").args(arguments);
    command
        .env("FTP_HOST", login.address.ip().to_string())
        .env("FTP_PORT", login.address.port().to_string());
    command
        .env("FTP_USER", &login.name)
        .env("FTP_PASSWORD", &login.password);
    command.env(
        "FTP_DATA",
        if mode == Mode::Passive {
            "passive"
        } else {
            "active"
        },
    );
    finish(&mut command, include_str!("ftplib_tree.py"));
}

/// Runs a client with a home directory of its own and a limit of time; its standard input is `script`.
#[track_caller]
pub fn finish(command: &mut Command, script: &str) {
    let home = Scratch::new();
    let mut limited = Command::new("timeout");
    limited
        .args(["--kill-after=5", "300"])
        .arg(command.get_program())
        .args(command.get_args());
    limited.envs(
        command
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    limited
        .env("HOME", home.path())
        .env("LC_ALL", "C.UTF-8")
        .current_dir(home.path());
    for proxy in [
        "ftp_proxy",
        "FTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
        "no_proxy",
        "NO_PROXY",
    ] {
        limited.env_remove(proxy);
    }
    let output = fed(&mut limited, script);
    let said = [output.stdout, output.stderr]
        .map(|o| String::from_utf8_lossy(&o).into_owned())
        .concat();
    let tail: Vec<&str> = said.lines().rev().take(20).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        tail.join("\n")
    );
}

/// The URL of a path, with everything that is not plain percent-encoded.
fn url(login: &Login, path: &str) -> String {
    let mut who = String::new();
    if login.name.contains(':') {
        let [name, password] = [&login.name, &login.password].map(|word| encoded(word, ""));
        who = format!("{name}:{password}@");
    }
    let mut path = encoded(path, "/");
    // curl asks for the directory that it begins in before it is led: without one it has to name the root each time.
    if login.led.is_some() {
        path = path.replacen('/', "/%2F", 1);
    }
    format!("ftp://{who}{}{path}", login.address)
}

/// Percent-encodes everything that is not plain, but for the octets of `kept`.
fn encoded(text: &str, kept: &str) -> String {
    let mut encoded = String::new();
    for octet in text.bytes() {
        let plain = octet.is_ascii_alphanumeric() || b".-_~".contains(&octet);
        if plain || kept.as_bytes().contains(&octet) {
            encoded.push(octet as char);
        } else {
            let _ = write!(encoded, "%{octet:02X}");
        }
    }
    encoded
}

/// A local path as curl, lftp and tnftp want it within double quotes.
fn quoted(path: &Path) -> String {
    path.to_str()
        .unwrap()
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
}

/// The files of a tree as text.
fn names(tree: &Path) -> Vec<String> {
    tree::files(tree)
        .iter()
        .map(|file| file.to_str().unwrap().to_owned())
        .collect()
}

/// The directories of a tree that hold files or directories, parents first.
fn directories(tree: &Path) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for file in tree::files(tree) {
        for directory in file
            .ancestors()
            .skip(1)
            .filter(|a| !a.as_os_str().as_bytes().is_empty())
        {
            found.push(directory.to_str().unwrap().to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}
