//! gnutls-cli, which knows TLS and nothing of FTP: one of them is the control connection, and each data connection is another.
//! It only connects, so there is no active mode; and none of them knows the session of another, so nothing is resumed.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tests::require;

use crate::ways::{Errand, files, walk};

/// A running gnutls-cli. It ends with its standard input, or when its time is over.
struct Cli {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Cli {
    fn start(errand: &Errand, port: u16, starttls: bool) -> Cli {
        let log = errand.down.with_file_name("gnutls-cli.log");
        let mut command = Command::new("timeout");
        // What it has to say itself goes into the log: the rest is the server's.
        command.args(["60", "gnutls-cli", "--logfile"]).arg(log);
        command.arg("--x509cafile").arg(errand.certificate);
        let version = errand.way.number();
        command.arg(format!("--priority=NORMAL:-VERS-ALL:+VERS-TLS{version}"));
        if starttls {
            command.arg("--starttls-proto=ftp");
        }
        command.args(["--port", &port.to_string(), &errand.host.to_string()]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Cli {
            input: child.stdin.take(),
            output: BufReader::new(child.stdout.take().unwrap()),
            child,
        }
    }

    fn send(&mut self, octets: &[u8]) {
        let mut input = self.input.as_ref().unwrap();
        input.write_all(octets).unwrap();
    }

    /// The text of the next reply, which must have this code.
    #[track_caller]
    fn expect_reply(&mut self, code: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "no {code}");
            match line.split_at_checked(4) {
                Some((head, text)) if head == format!("{code} ") => return text.to_owned(),
                _ => assert!(line.starts_with(&format!("{code}-")), "{line} for {code}"),
            }
        }
    }

    #[track_caller]
    fn expect(&mut self, line: &str, code: &str) -> String {
        self.send(format!("{line}\r\n").as_bytes());
        self.expect_reply(code)
    }

    /// Another one, to where the server waits for data of this command.
    #[track_caller]
    fn data(&mut self, errand: &Errand, line: &str) -> Cli {
        let told = self.expect("EPSV", "229");
        let port = told.split('|').nth(3).unwrap().parse().unwrap();
        self.send(format!("{line}\r\n").as_bytes());
        let data = Cli::start(errand, port, false);
        self.expect_reply("150");
        data
    }

    #[track_caller]
    fn store(&mut self, errand: &Errand, name: &str) {
        let mut data = self.data(errand, &format!("STOR {name}"));
        data.send(&fs::read(errand.up.join(name)).unwrap());
        drop(data.input.take());
        data.child.wait().unwrap();
        self.expect_reply("226");
    }

    #[track_caller]
    fn retrieve(&mut self, errand: &Errand, name: &str, to: &Path) {
        let mut data = self.data(errand, &format!("RETR {name}"));
        let mut octets = Vec::new();
        data.output.read_to_end(&mut octets).unwrap();
        self.expect_reply("226");
        File::create(to).unwrap().write_all(&octets).unwrap();
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

#[test]
fn gnutls_cli_moves_files() {
    if !require::programs(&["gnutls-cli", "timeout"]) {
        return;
    }
    walk(
        "gnutls-cli",
        &[],
        |way| !way.active,
        |errand| {
            let mut control = Cli::start(errand, errand.port, !errand.way.implicit);
            if errand.way.implicit {
                control.expect_reply("220");
            }
            control.expect(&format!("USER {}", errand.login.name), "331");
            control.expect(&format!("PASS {}", errand.login.password), "230");
            for line in ["TYPE I", "PBSZ 0", "PROT P"] {
                control.expect(line, "200");
            }
            for (name, _) in files() {
                control.store(errand, name);
                control.retrieve(errand, name, &errand.down.join(name));
            }
            control.expect("QUIT", "221");
        },
    );
}
