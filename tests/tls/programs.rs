//! Programs that people have, with data under TLS: a tree up and down again, and the same tree has to come back.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::real::finish;
use tests::{Scratch, Server, require};

use crate::server::start;

/// The files, and their content.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let large = (0..700_001_u32).map(|n| (n * 7 % 251) as u8).collect();
    vec![
        ("empty", Vec::new()),
        ("small", b"a few octets".to_vec()),
        ("large", large),
    ]
}

fn compare(directory: &Path) {
    for (name, content) in files() {
        let found = fs::read(directory.join(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(found == content, "{name} has {} octets", found.len());
    }
}

/// What a client is to do: where the files are, and where they go.
struct Errand<'a> {
    server: &'a Server,
    up: &'a Path,
    down: &'a Path,
    certificate: &'a Path,
}

/// Has a client do it, and looks what came of it.
fn run(settings: &[&str], go: impl Fn(&Errand)) -> Server {
    let (_, server) = start(settings);
    let scratch = Scratch::new();
    let (up, down) = (scratch.directory("up"), scratch.directory("down"));
    for (name, content) in files() {
        fs::write(up.join(name), content).unwrap();
    }
    go(&Errand {
        server: &server,
        up: &up,
        down: &down,
        certificate: &server.scratch.join("certificate.pem"),
    });
    compare(&server.home);
    compare(&down);
    server
}

#[test]
fn curl_moves_files_in_both_versions() {
    if !require::programs(&["curl"]) {
        return;
    }
    for version in ["1.2", "1.3"] {
        // Not with active connections: curl 7.88 drops them under TLS, those of other servers too.
        {
            run(&["TLSDataBinding=require"], |errand| {
                let login = &errand.server.login;
                for (name, _) in files() {
                    let url = format!("ftp://{}/{name}", login.address);
                    for up in [true, false] {
                        let mut command = Command::new("curl");
                        command.args(["--disable", "-sS", "--ssl-reqd", "--cacert"]);
                        command.arg(errand.certificate);
                        command.arg(format!("--tlsv{version}"));
                        command.args(["--tls-max", version]);
                        command.args(["-u", &format!("{}:{}", login.name, login.password)]);
                        match up {
                            true => command.arg("-T").arg(errand.up.join(name)),
                            false => command.arg("-o").arg(errand.down.join(name)),
                        };
                        finish(command.arg(&url), "");
                        if !up && !errand.down.join(name).exists() {
                            // curl makes no file of nothing.
                            fs::write(errand.down.join(name), "").unwrap();
                        }
                    }
                }
            });
        }
    }
}

#[test]
fn lftp_moves_files() {
    if !require::programs(&["lftp"]) {
        return;
    }
    for passive in ["true", "false"] {
        run(&["TLSDataBinding=require"], |errand| {
            let login = &errand.server.login;
            let script = format!(
                "set net:max-retries 1; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:passive-mode {passive}; \
                 set ssl:ca-file {}; set ssl:check-hostname no; open -u {},{} ftp://{}; \
                 mirror -R {} /; mirror / {}; bye",
                errand.certificate.display(),
                login.name,
                login.password.replace(' ', "\\ "),
                login.address,
                errand.up.display(),
                errand.down.display(),
            );
            let mut command = Command::new("lftp");
            command.args(["--norc", "-c", &script]);
            finish(&mut command, "");
        });
    }
}

/// Python's ftplib; a session of the control connection is used for data where `FTP_REUSE` says so.
const FTPLIB: &str = r#"
import ftplib, os, ssl
class Reusing(ftplib.FTP_TLS):
    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        conn = self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session)
        return conn, size
kind = Reusing if os.environ['FTP_REUSE'] == '1' else ftplib.FTP_TLS
context = ssl.create_default_context(cafile=os.environ['FTP_CA'])
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, os.environ['FTP_VERSION'])
ftp = kind(context=context)
ftp.set_pasv(os.environ['FTP_PASSIVE'] == '1')
ftp.connect(os.environ['FTP_HOST'], int(os.environ['FTP_PORT']))
ftp.login(os.environ['FTP_USER'], os.environ['FTP_PASSWORD'])
ftp.prot_p()
for name in os.listdir(os.environ['FTP_UP']):
    with open(os.path.join(os.environ['FTP_UP'], name), 'rb') as file:
        ftp.storbinary('STOR ' + name, file)
for name in ftp.nlst():
    with open(os.path.join(os.environ['FTP_DOWN'], name), 'wb') as file:
        ftp.retrbinary('RETR ' + name, file.write)
ftp.quit()
"#;

#[test]
fn ftplib_moves_files_with_and_without_reuse_of_sessions() {
    if !require::programs(&["python3"]) {
        return;
    }
    for (reuse, settings) in [("1", &["TLSDataBinding=require"][..]), ("0", &[])] {
        for (version, passive) in [("TLSv1_2", "1"), ("TLSv1_3", "1"), ("TLSv1_3", "0")] {
            let server = run(settings, |errand| {
                let login = &errand.server.login;
                let mut command = Command::new("python3");
                command
                    .args(["-c", FTPLIB])
                    .env("FTP_CA", errand.certificate)
                    .env("FTP_REUSE", reuse)
                    .env("FTP_VERSION", version)
                    .env("FTP_PASSIVE", passive)
                    .env("FTP_HOST", login.address.ip().to_string())
                    .env("FTP_PORT", login.address.port().to_string())
                    .env("FTP_USER", &login.name)
                    .env("FTP_PASSWORD", &login.password)
                    .env("FTP_UP", errand.up)
                    .env("FTP_DOWN", errand.down);
                finish(&mut command, "");
            });
            let logged = server.log.text().contains("did not resume");
            assert_eq!(logged, reuse == "0", "{version}");
        }
    }
}
