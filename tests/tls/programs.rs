//! Programs that people have, with data under TLS: a tree up and down again, and the same tree has to come back.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::real::finish;
use tests::{Scratch, Server, require};

use crate::server::{implicit, start};

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

fn implicit_port(server: &Server) -> u16 {
    implicit(server).port()
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

#[test]
fn rclone_copies_trees_explicit_and_implicit() {
    if !require::programs(&["rclone"]) {
        return;
    }
    for (key, disable) in [("explicit_tls", "false"), ("tls", "false"), ("tls", "true")] {
        run(&["TLSPort=0"], |errand| {
            let login = &errand.server.login;
            let port = match key {
                "tls" => implicit_port(errand.server),
                _ => login.address.port(),
            };
            let obscured = Command::new("rclone")
                .args(["obscure", &login.password])
                .output();
            let configuration = errand.down.with_file_name("rclone.conf");
            let text = format!(
                "[it]\ntype = ftp\nhost = {}\nport = {port}\nuser = {}\npass = {}\n{key} = true\n\
                 disable_tls13 = {disable}\nno_check_certificate = true\n",
                login.address.ip(),
                login.name,
                String::from_utf8_lossy(&obscured.unwrap().stdout).trim()
            );
            fs::write(&configuration, text).unwrap();
            for (from, to) in [
                (errand.up.to_str().unwrap(), "it:"),
                ("it:", errand.down.to_str().unwrap()),
            ] {
                let mut command = Command::new("rclone");
                command.arg("--config").arg(&configuration);
                finish(command.args(["--retries", "1", "copy", from, to]), "");
            }
        });
    }
}

const BASIC_FTP: &str = "
const ftp = require('basic-ftp'), fs = require('fs'), env = process.env;
(async () => {
    const client = new ftp.Client(30000);
    await client.access({
        host: env.FTP_HOST, port: Number(env.FTP_PORT), user: env.FTP_USER, password: env.FTP_PASSWORD,
        secure: env.FTP_IMPLICIT === '1' ? 'implicit' : true,
        // On data connections it does not know what host it wants.
        secureOptions: { ca: fs.readFileSync(env.FTP_CA), checkServerIdentity: () => undefined,
            minVersion: env.FTP_VERSION, maxVersion: env.FTP_VERSION },
    });
    await client.uploadFromDir(env.FTP_UP);
    await client.downloadToDir(env.FTP_DOWN);
    client.close();
})().catch(error => { console.error(error); process.exit(1); });
";

#[test]
fn basic_ftp_moves_trees_in_both_versions_explicit_and_implicit() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let modules = target.join("clients/node_modules");
    if !require::programs(&["node"])
        || !(modules.join("basic-ftp").is_dir() || require::missing("basic-ftp"))
    {
        return;
    }
    for (version, implicit) in [
        ("TLSv1.2", "0"),
        ("TLSv1.3", "0"),
        ("TLSv1.2", "1"),
        ("TLSv1.3", "1"),
    ] {
        // Node ends an upload of nothing without close_notify, mostly: under strict an empty file is refused then.
        run(&["TLSPort=0", "TLSCloseNotify=lax"], |errand| {
            let login = &errand.server.login;
            let port = match implicit {
                "1" => implicit_port(errand.server),
                _ => login.address.port(),
            };
            let mut command = Command::new("node");
            command
                .args(["-e", BASIC_FTP])
                .env("NODE_PATH", &modules)
                .env("FTP_CA", errand.certificate)
                .env("FTP_VERSION", version)
                .env("FTP_IMPLICIT", implicit)
                .env("FTP_HOST", login.address.ip().to_string())
                .env("FTP_PORT", port.to_string())
                .env("FTP_USER", &login.name)
                .env("FTP_PASSWORD", &login.password)
                .env("FTP_UP", errand.up)
                .env("FTP_DOWN", errand.down);
            finish(&mut command, "");
        });
    }
}

const NET_FTP: &str = r#"
use Net::FTP;
my %env = %ENV;
my $ftp = Net::FTP->new('localhost', LocalAddr => '127.0.0.1', Port => $env{FTP_PORT}, Passive => $env{FTP_PASSIVE},
    SSL => $env{FTP_IMPLICIT}, SSL_ca_file => $env{FTP_CA}, SSL_version => $env{FTP_VERSION}) or die "$@ $!";
my $try = sub { $_[0] or die $ftp->message };
$try->($ftp->starttls) unless $env{FTP_IMPLICIT};
$try->($ftp->login($env{FTP_USER}, $env{FTP_PASSWORD}));
$try->($ftp->prot('P'));
$ftp->binary;
for my $name (split / /, $env{FTP_NAMES}) {
    $try->($ftp->put("$env{FTP_UP}/$name", $name));
    $try->($ftp->get($name, "$env{FTP_DOWN}/$name"));
}
$ftp->quit;
"#;

#[test]
fn net_ftp_moves_files_in_both_versions_and_modes_explicit_and_implicit() {
    let loads = |module: &str| {
        let mut perl = Command::new("perl");
        perl.args([&format!("-M{module}"), "-e", "1"]);
        perl.output().is_ok_and(|output| output.status.success())
    };
    if !require::programs(&["perl"])
        || !(loads("IO::Socket::SSL") || require::missing("IO::Socket::SSL of Perl"))
    {
        return;
    }
    for (version, passive, implicit) in [
        ("TLSv1_2", "1", "0"),
        ("TLSv1_3", "1", "0"),
        ("TLSv1_2", "0", "1"),
        ("TLSv1_3", "0", "1"),
    ] {
        run(&["TLSPort=0"], |errand| {
            let login = &errand.server.login;
            let port = match implicit {
                "1" => implicit_port(errand.server),
                _ => login.address.port(),
            };
            let names: Vec<&str> = files().iter().map(|(name, _)| *name).collect();
            let mut command = Command::new("perl");
            command
                .args(["-e", NET_FTP])
                .env("FTP_CA", errand.certificate)
                .env("FTP_VERSION", version)
                .env("FTP_PASSIVE", passive)
                .env("FTP_IMPLICIT", implicit)
                .env("FTP_PORT", port.to_string())
                .env("FTP_USER", &login.name)
                .env("FTP_PASSWORD", &login.password)
                .env("FTP_NAMES", names.join(" "))
                .env("FTP_UP", errand.up)
                .env("FTP_DOWN", errand.down);
            finish(&mut command, "");
        });
    }
}

#[test]
fn gnutls_cli_talks_by_starttls() {
    if !require::programs(&["gnutls-cli"]) {
        return;
    }
    let (_, server) = start(&[]);
    let login = &server.login;
    let mut command = Command::new("gnutls-cli");
    command
        .arg("--x509cafile")
        .arg(server.scratch.join("certificate.pem"))
        .args(["--starttls-proto=ftp", "--port"])
        .args([&login.address.port().to_string(), "localhost"]);
    let said = format!("USER {}\r\nPASS {}\r\nQUIT\r\n", login.name, login.password);
    finish(&mut command, &said);
    server.log.line_with(&["login of", &login.name]);
}
