//! The clients: how each is told what to do, and what it cannot do at all.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::real::{Mode, finish};
use tests::server::Login;
use tests::{Scratch, require};

/// Something that a person does with a client.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Put(PathBuf, &'static str),
    /// Goes on with an upload of which a part is there.
    PutOn(PathBuf, &'static str),
    Get(&'static str, PathBuf),
    /// Goes on with a download of which a part is here.
    GetOn(&'static str, PathBuf),
    Rename(&'static str, &'static str),
    Delete(&'static str),
}

/// What a client is called to do.
struct Session<'a> {
    login: &'a Login,
    mode: Mode,
    scratch: &'a Scratch,
    steps: &'a [Step],
}

pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The programs that must be installed.
    needs: &'static [&'static str],
    /// Whether it can have the server connect to it.
    pub(crate) active: bool,
    pub(crate) ipv6: bool,
    /// Why it cannot take a step, if it cannot.
    cannot: fn(&Step) -> Option<&'static str>,
    run: fn(&Session<'_>),
}

#[rustfmt::skip]
pub(crate) const PROGRAMS: &[Program] = &[
    Program { name: "curl",          needs: &["curl"],          active: true,  ipv6: true,  cannot: nothing,     run: curl },
    Program { name: "wget",          needs: &["wget"],          active: true,  ipv6: true,  cannot: only_gets,   run: wget },
    Program { name: "lftp",          needs: &["lftp"],          active: true,  ipv6: true,  cannot: nothing,     run: lftp },
    // Its addresses are those of IPv4 only.
    Program { name: "ncftp",         needs: &["ncftp", "ncftpput", "ncftpget"], active: true, ipv6: false, cannot: no_put_on, run: ncftp },
    Program { name: "tnftp",         needs: &["tnftp"],         active: true,  ipv6: true,  cannot: nothing,     run: tnftp },
    Program { name: "inetutils-ftp", needs: &["inetutils-ftp"], active: true,  ipv6: true,  cannot: nothing,     run: inetutils },
    Program { name: "ftplib",        needs: &["python3"],       active: true,  ipv6: true,  cannot: nothing,     run: ftplib },
    // Its library has passive connections only.
    Program { name: "rclone",        needs: &["rclone"],        active: false, ipv6: true,  cannot: whole_files, run: rclone },
    // "Passive mode only", says its manual.
    Program { name: "basic-ftp",     needs: &["node"],          active: false, ipv6: true,  cannot: nothing,     run: basic_ftp },
    Program { name: "Net::FTP",      needs: &["perl"],          active: true,  ipv6: true,  cannot: nothing,     run: net_ftp },
];

fn nothing(_: &Step) -> Option<&'static str> {
    None
}

fn only_gets(step: &Step) -> Option<&'static str> {
    match step {
        Step::Get(..) | Step::GetOn(..) => None,
        _ => Some("wget only downloads"),
    }
}

fn no_put_on(step: &Step) -> Option<&'static str> {
    match step {
        Step::PutOn(..) => {
            Some("ncftp 3.2.6 sends REST and then the file from its beginning, to vsftpd too")
        }
        _ => None,
    }
}

fn whole_files(step: &Step) -> Option<&'static str> {
    match step {
        Step::PutOn(..) | Step::GetOn(..) => Some("rclone copies whole files"),
        _ => None,
    }
}

impl Program {
    pub(crate) fn is_there(&self) -> bool {
        require::programs(self.needs)
            && (self.name != "basic-ftp"
                || node_modules().join("basic-ftp").is_dir()
                || require::missing("basic-ftp, which packaging/prepare.sh installs"))
    }

    pub(crate) fn cannot(&self, step: &Step) -> Option<&'static str> {
        (self.cannot)(step)
    }

    pub(crate) fn run(&self, login: &Login, mode: Mode, scratch: &Scratch, steps: &[Step]) {
        (self.run)(&Session {
            login,
            mode,
            scratch,
            steps,
        });
    }
}

fn node_modules() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    target.unwrap().join("clients/node_modules")
}

impl Session<'_> {
    fn host(&self) -> String {
        self.login.address.ip().to_string()
    }

    fn port(&self) -> String {
        self.login.address.port().to_string()
    }

    fn passive(&self) -> bool {
        self.mode == Mode::Passive
    }

    /// An URL with everything encoded that is not plain.
    fn url(&self, path: &str) -> String {
        let mut url = format!("ftp://{}/", self.login.address);
        for octet in path.bytes() {
            match octet {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'/' => {
                    url.push(octet as char)
                }
                _ => {
                    let _ = write!(url, "%{octet:02X}");
                }
            }
        }
        url
    }

    /// The steps as lines of tab-separated words, for the scripts of the libraries.
    fn lines(&self) -> String {
        let mut lines = String::new();
        for step in self.steps {
            let line = match step {
                Step::Put(local, remote) => format!("put\t{}\t{remote}", local.display()),
                Step::PutOn(local, remote) => format!("put-on\t{}\t{remote}", local.display()),
                Step::Get(remote, local) => format!("get\t{remote}\t{}", local.display()),
                Step::GetOn(remote, local) => format!("get-on\t{remote}\t{}", local.display()),
                Step::Rename(from, to) => format!("rename\t{from}\t{to}"),
                Step::Delete(name) => format!("delete\t{name}\t"),
            };
            lines.push_str(&line);
            lines.push('\n');
        }
        lines
    }

    /// A library's script, which reads host, port, user, password and data mode from its environment and the steps from a
    /// file.
    fn script(&self, command: &mut Command) {
        let steps = self.scratch.join("steps");
        std::fs::write(&steps, self.lines()).unwrap();
        command
            .arg(steps)
            .env("FTP_HOST", self.host())
            .env("FTP_PORT", self.port())
            .env("FTP_USER", &self.login.name)
            .env("FTP_PASSWORD", &self.login.password)
            .env("FTP_PASSIVE", if self.passive() { "1" } else { "0" });
        finish(command, "");
    }
}

fn curl(session: &Session<'_>) {
    for step in session.steps {
        let mut command = Command::new("curl");
        command.args([
            "--disable",
            "--silent",
            "--show-error",
            "--fail",
            "--globoff",
        ]);
        if !session.passive() {
            command.args(["--ftp-port", "-"]);
        }
        let url = match step {
            Step::Put(local, remote) => {
                command.arg("--upload-file").arg(local);
                session.url(remote)
            }
            Step::PutOn(local, remote) => {
                command
                    .args(["--continue-at", "-", "--upload-file"])
                    .arg(local);
                session.url(remote)
            }
            Step::Get(remote, local) => {
                command.arg("--output").arg(local);
                session.url(remote)
            }
            Step::GetOn(remote, local) => {
                command.args(["--continue-at", "-", "--output"]).arg(local);
                session.url(remote)
            }
            Step::Rename(from, to) => {
                command.args([
                    "--quote",
                    &format!("RNFR {from}"),
                    "--quote",
                    &format!("RNTO {to}"),
                ]);
                session.url("")
            }
            Step::Delete(name) => {
                command.args(["--quote", &format!("DELE {name}")]);
                session.url("")
            }
        };
        let credentials = format!(
            "user = \"{}:{}\"\n",
            session.login.name, session.login.password
        );
        finish(command.args(["--config", "-"]).arg(url), &credentials);
    }
}

fn wget(session: &Session<'_>) {
    for step in session.steps {
        let (Step::Get(remote, local) | Step::GetOn(remote, local)) = step else {
            continue;
        };
        let mut command = Command::new("wget");
        command.args(["--no-config", "--no-verbose", "--tries=1", "--timeout=30"]);
        if !session.passive() {
            command.arg("--no-passive-ftp");
        }
        if matches!(step, Step::GetOn(..)) {
            command.arg("--continue");
        }
        command.arg("--output-document").arg(local);
        let login = format!(
            "ftp://{}:{}@",
            session.login.name,
            session.login.password.replace(' ', "%20")
        );
        let url = session.url(remote).replace("ftp://", &login);
        finish(command.arg("--input-file=-"), &format!("{url}\n"));
    }
}

fn lftp(session: &Session<'_>) {
    let passive = if session.passive() { "on" } else { "off" };
    let mut script = format!(
        "set cmd:fail-exit yes\nset net:timeout 30\nset net:max-retries 1\nset ftp:ssl-allow no\nset ftp:passive-mode {passive}\n\
         set ftp:charset UTF-8\nset file:charset UTF-8\nopen -u \"{},{}\" \"{}\"\n",
        session.login.name,
        session.login.password,
        session.url(""),
    );
    for step in session.steps {
        let _ = match step {
            Step::Put(local, remote) => {
                writeln!(script, "put \"{}\" -o \"{remote}\"", local.display())
            }
            Step::PutOn(local, remote) => {
                writeln!(script, "put -c \"{}\" -o \"{remote}\"", local.display())
            }
            Step::Get(remote, local) => {
                writeln!(script, "get \"{remote}\" -o \"{}\"", local.display())
            }
            Step::GetOn(remote, local) => {
                writeln!(script, "get -c \"{remote}\" -o \"{}\"", local.display())
            }
            Step::Rename(from, to) => writeln!(script, "mv \"{from}\" \"{to}\""),
            Step::Delete(name) => writeln!(script, "rm \"{name}\""),
        };
    }
    finish(&mut Command::new("lftp"), &script);
}

fn ncftp(session: &Session<'_>) {
    let (host, port) = (session.host(), session.port());
    let (name, password) = (&session.login.name, &session.login.password);
    let data = if session.passive() { "-F" } else { "-E" };
    let identity = ["-u", name, "-p", password, "-P", &port];
    for step in session.steps {
        match step {
            Step::Put(local, remote) | Step::PutOn(local, remote) => {
                let mut command = Command::new("ncftpput");
                command
                    .args(identity)
                    .args([data, "-V", "-t", "30", "-r", "1"]);
                command.arg(if matches!(step, Step::PutOn(..)) {
                    "-z"
                } else {
                    "-Z"
                });
                finish(command.args(["-C", &host]).arg(local).arg(remote), "");
            }
            Step::Get(remote, local) | Step::GetOn(remote, local) => {
                let mut command = Command::new("ncftpget");
                command
                    .args(identity)
                    .args([data, "-V", "-t", "30", "-r", "1"]);
                command.arg(if matches!(step, Step::GetOn(..)) {
                    "-z"
                } else {
                    "-Z"
                });
                finish(command.args(["-C", &host, remote]).arg(local), "");
            }
            Step::Rename(from, to) => {
                let script = format!("rename \"{from}\" \"{to}\"\nquit\n");
                finish(Command::new("ncftp").args(identity).arg(&host), &script);
            }
            Step::Delete(name) => {
                let script = format!("rm \"{name}\"\nquit\n");
                finish(Command::new("ncftp").args(identity).arg(&host), &script);
            }
        }
    }
}

/// The commands that the descendants of BSD's ftp share.
fn bsd_script(session: &Session<'_>) -> String {
    let mut script = format!(
        "open {} {}\nuser {} \"{}\"\nbinary\n",
        session.host(),
        session.port(),
        session.login.name,
        session.login.password
    );
    for step in session.steps {
        let _ = match step {
            Step::Put(local, remote) => {
                writeln!(script, "put \"{}\" \"{remote}\"", local.display())
            }
            Step::PutOn(local, remote) => {
                // They are told where to go on.
                let there = crate::HALF;
                writeln!(
                    script,
                    "restart {there}\nput \"{}\" \"{remote}\"",
                    local.display()
                )
            }
            Step::Get(remote, local) => {
                writeln!(script, "get \"{remote}\" \"{}\"", local.display())
            }
            Step::GetOn(remote, local) => {
                writeln!(script, "reget \"{remote}\" \"{}\"", local.display())
            }
            Step::Rename(from, to) => writeln!(script, "rename \"{from}\" \"{to}\""),
            Step::Delete(name) => writeln!(script, "delete \"{name}\""),
        };
    }
    script.push_str("bye\n");
    script
}

fn tnftp(session: &Session<'_>) {
    let mut command = Command::new("tnftp");
    command.args([
        "-n",
        "-i",
        "-V",
        if session.passive() { "-p" } else { "-A" },
    ]);
    finish(&mut command, &bsd_script(session));
}

fn inetutils(session: &Session<'_>) {
    let mut command = Command::new("inetutils-ftp");
    command.args([
        "-n",
        "-i",
        "-e",
        if session.passive() { "-p" } else { "-A" },
    ]);
    finish(&mut command, &bsd_script(session));
}

fn ftplib(session: &Session<'_>) {
    session.script(Command::new("python3").args(["-c", include_str!("ftplib.py")]));
}

fn net_ftp(session: &Session<'_>) {
    session.script(Command::new("perl").args(["-e", include_str!("net_ftp.pl")]));
}

fn basic_ftp(session: &Session<'_>) {
    let mut command = Command::new("node");
    command.env("NODE_PATH", node_modules());
    let program = session.scratch.join("basic_ftp.cjs");
    std::fs::write(&program, include_str!("basic_ftp.cjs")).unwrap();
    session.script(command.arg(program));
}

fn rclone(session: &Session<'_>) {
    let configuration = session.scratch.join("rclone.conf");
    let obscured = Command::new("rclone")
        .args(["obscure", &session.login.password])
        .output()
        .unwrap();
    let text = format!(
        "[it]\ntype = ftp\nhost = {}\nport = {}\nuser = {}\npass = {}\n",
        // It puts a colon and the port behind.
        match session.login.address.is_ipv6() {
            true => format!("[{}]", session.host()),
            false => session.host(),
        },
        session.port(),
        session.login.name,
        String::from_utf8_lossy(&obscured.stdout).trim()
    );
    std::fs::write(&configuration, text).unwrap();
    for step in session.steps {
        let mut command = Command::new("rclone");
        command
            .arg("--config")
            .arg(&configuration)
            .args(["--retries", "1", "--timeout", "30s"]);
        match step {
            Step::Put(local, remote) | Step::PutOn(local, remote) => {
                command.arg("copyto").arg(local).arg(format!("it:{remote}"));
            }
            Step::Get(remote, local) | Step::GetOn(remote, local) => {
                command.arg("copyto").arg(format!("it:{remote}")).arg(local);
            }
            Step::Rename(from, to) => {
                command
                    .arg("moveto")
                    .arg(format!("it:{from}"))
                    .arg(format!("it:{to}"));
            }
            Step::Delete(name) => {
                command.arg("deletefile").arg(format!("it:{name}"));
            }
        }
        finish(&mut command, "");
    }
}
