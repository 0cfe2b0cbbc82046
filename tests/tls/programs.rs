//! Programs that people have, with data under TLS, on every way that each of them can go.

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use tests::real::{curl_forgets_tls_where_it_is_active, finish};
use tests::require;

use crate::client::{Ending, Secure, finish as end, handshake};
use crate::server::start;
use crate::ways::{Errand, files, walk};

fn curl(errand: &Errand, name: &str) -> Command {
    let scheme = if errand.way.implicit { "ftps" } else { "ftp" };
    let version = errand.way.number();
    let mut command = Command::new("curl");
    command.args(["--disable", "-sS", "--ssl-reqd", "--cacert"]);
    command.arg(errand.certificate);
    command.args([&format!("--tlsv{version}"), "--tls-max", version]);
    command.args([
        "-u",
        &format!("{}:{}", errand.login.name, errand.login.password),
    ]);
    if errand.way.active {
        command.args(["-P", "-"]);
    }
    command.arg(format!("{scheme}://{}/{name}", errand.host_port()));
    command
}

#[test]
fn curl_moves_files() {
    if !require::programs(&["curl"]) {
        return;
    }
    let forgets = curl_forgets_tls_where_it_is_active();
    walk(
        "curl",
        &["TLSDataBinding=require"],
        |way| !(way.active && forgets),
        |errand| {
            for (name, _) in files() {
                finish(curl(errand, name).arg("-T").arg(errand.up.join(name)), "");
                let down = errand.down.join(name);
                finish(curl(errand, name).arg("-o").arg(&down), "");
                if !down.exists() {
                    // curl makes no file of nothing.
                    fs::write(down, "").unwrap();
                }
            }
        },
    );
}

#[test]
fn what_a_curl_sends_in_the_clear_is_not_taken_for_a_file() {
    if !require::programs(&["curl"]) || !curl_forgets_tls_where_it_is_active() {
        return;
    }
    let (_, server) = start(&[]);
    let login = &server.login;
    let mut command = Command::new("curl");
    command.args(["--disable", "-sS", "--ssl-reqd", "-P", "-", "--cacert"]);
    command.arg(server.scratch.join("certificate.pem"));
    command.args(["-u", &format!("{}:{}", login.name, login.password), "-T"]);
    command.arg(server.scratch.join("certificate.pem"));
    let output = command
        .arg(format!("ftp://{}/file", login.address))
        .output();
    assert_eq!(
        output.unwrap().status.code(),
        Some(18),
        "curl: part of the file"
    );
    assert!(!server.home.join("file").exists());
}

#[test]
fn lftp_moves_files() {
    if !require::programs(&["lftp"]) {
        return;
    }
    walk(
        "lftp",
        &["TLSDataBinding=require"],
        |_| true,
        |errand| {
            let scheme = if errand.way.implicit { "ftps" } else { "ftp" };
            let passive = !errand.way.active;
            let script = format!(
                "set net:max-retries 1; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ftp:passive-mode {passive}; \
             set ssl:priority NORMAL:-VERS-ALL:+VERS-TLS{}; set ssl:ca-file {}; set ssl:check-hostname no; \
             open -u {},{} {scheme}://{}; mirror -R {} /; mirror / {}; bye",
                errand.way.number(),
                errand.certificate.display(),
                errand.login.name,
                errand.login.password.replace(' ', "\\ "),
                errand.host_port(),
                errand.up.display(),
                errand.down.display(),
            );
            finish(Command::new("lftp").args(["--norc", "-c", &script]), "");
        },
    );
}

/// Python's ftplib; a session of the control connection is used for data where `FTP_REUSE` says so. Of TLS before the first
/// word it knows nothing, so people do that by hand.
const FTPLIB: &str = r#"
import ftplib, os, socket, ssl
env = os.environ
class Client(ftplib.FTP_TLS):
    def ntransfercmd(self, cmd, rest=None):
        if env['FTP_REUSE'] == '0':
            return super().ntransfercmd(cmd, rest)
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        conn = self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session)
        return conn, size
    def begin(self, host, port):
        if env['FTP_IMPLICIT'] == '0':
            return self.connect(host, port)
        self.host, self.port = host, port
        self.sock = self.context.wrap_socket(socket.create_connection((host, port)), server_hostname=host)
        self.af = self.sock.family
        self.file = self.sock.makefile('r', encoding=self.encoding)
        self.welcome = self.getresp()
context = ssl.create_default_context(cafile=env['FTP_CA'])
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, 'TLSv' + env['FTP_VERSION'].replace('.', '_'))
ftp = Client(context=context)
ftp.set_pasv(env['FTP_PASSIVE'] == '1')
ftp.begin(env['FTP_HOST'], int(env['FTP_PORT']))
ftp.login(env['FTP_USER'], env['FTP_PASSWORD'])
ftp.prot_p()
for name in os.listdir(env['FTP_UP']):
    with open(os.path.join(env['FTP_UP'], name), 'rb') as file:
        ftp.storbinary('STOR ' + name, file)
for name in ftp.nlst():
    with open(os.path.join(env['FTP_DOWN'], name), 'wb') as file:
        ftp.retrbinary('RETR ' + name, file.write)
ftp.quit()
"#;

#[test]
fn ftplib_moves_files_with_and_without_reuse_of_sessions() {
    if !require::programs(&["python3"]) {
        return;
    }
    for (client, reuse, settings) in [
        ("ftplib with reuse", "1", &["TLSDataBinding=require"][..]),
        ("ftplib", "0", &[]),
    ] {
        let logs = walk(
            client,
            settings,
            |_| true,
            |errand| {
                let mut command = Command::new("python3");
                command.args(["-c", FTPLIB]).env("FTP_REUSE", reuse);
                finish(command.envs(errand.environment()), "");
            },
        );
        for log in logs {
            assert_eq!(log.contains("did not resume"), reuse == "0", "{log}");
        }
    }
}

#[test]
fn rclone_copies_trees() {
    if !require::programs(&["rclone"]) {
        return;
    }
    // It has no active mode.
    walk(
        "rclone",
        &[],
        |way| !way.active,
        |errand| {
            let obscured = Command::new("rclone")
                .args(["obscure", &errand.login.password])
                .output();
            let configuration = errand.down.with_file_name("rclone.conf");
            let host = match errand.way.ipv6 {
                true => format!("[{}]", errand.host),
                false => errand.host.to_string(),
            };
            let text = format!(
                "[it]\ntype = ftp\nhost = {host}\nport = {}\nuser = {}\npass = {}\n{} = true\n\
             disable_tls13 = {}\nno_check_certificate = true\n",
                errand.port,
                errand.login.name,
                String::from_utf8_lossy(&obscured.unwrap().stdout).trim(),
                if errand.way.implicit {
                    "tls"
                } else {
                    "explicit_tls"
                },
                !errand.way.newest,
            );
            fs::write(&configuration, text).unwrap();
            let (up, down) = (errand.up.to_str().unwrap(), errand.down.to_str().unwrap());
            for (from, to) in [(up, "it:"), ("it:", down)] {
                let mut command = Command::new("rclone");
                command.arg("--config").arg(&configuration);
                finish(command.args(["--retries", "1", "copy", from, to]), "");
            }
        },
    );
}

const BASIC_FTP: &str = "
const ftp = require('basic-ftp'), fs = require('fs'), tls = require('tls'), env = process.env;
// It begins an upload when there is a cipher, which a session that is continued has before its handshake is done: the end of an
// empty file would be sent inside of that, in a race with the server.
const { getCipher } = tls.TLSSocket.prototype;
tls.TLSSocket.prototype.getCipher = function () { return this.secureConnecting ? undefined : getCipher.call(this); };
(async () => {
    const client = new ftp.Client(30000), version = 'TLSv' + env.FTP_VERSION;
    await client.access({
        host: env.FTP_HOST, port: Number(env.FTP_PORT), user: env.FTP_USER, password: env.FTP_PASSWORD,
        secure: env.FTP_IMPLICIT === '1' ? 'implicit' : true,
        // On data connections it does not know what host it wants.
        secureOptions: { ca: fs.readFileSync(env.FTP_CA), checkServerIdentity: () => undefined,
            minVersion: version, maxVersion: version },
    });
    await client.uploadFromDir(env.FTP_UP);
    await client.downloadToDir(env.FTP_DOWN);
    client.close();
})().catch(error => { console.error(error); process.exit(1); });
";

#[test]
fn basic_ftp_moves_trees() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let modules = target.join("clients/node_modules");
    if !require::programs(&["node"])
        || !(modules.join("basic-ftp").is_dir() || require::missing("basic-ftp"))
    {
        return;
    }
    // It has no active mode.
    walk(
        "basic-ftp",
        &[],
        |way| !way.active,
        |errand| {
            let mut command = Command::new("node");
            command.args(["-e", BASIC_FTP]).env("NODE_PATH", &modules);
            finish(command.envs(errand.environment()), "");
        },
    );
}

const NET_FTP: &str = r#"
use Net::FTP;
my %env = %ENV;
my $ftp = Net::FTP->new($env{FTP_HOST}, Port => $env{FTP_PORT}, Passive => $env{FTP_PASSIVE}, SSL => $env{FTP_IMPLICIT},
    SSL_ca_file => $env{FTP_CA}, SSL_version => 'TLSv' . $env{FTP_VERSION} =~ tr/./_/r) or die "$@ $!";
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
fn net_ftp_moves_files() {
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
    walk(
        "Net::FTP",
        &[],
        |_| true,
        |errand| {
            let mut command = Command::new("perl");
            command.args(["-e", NET_FTP]);
            finish(command.envs(errand.environment()), "");
        },
    );
}

#[test]
fn a_client_by_rustls_moves_files() {
    walk(
        "rustls",
        &["TLSDataBinding=require"],
        |_| true,
        |errand| {
            let config = errand.authority.client(errand.way.version());
            let address = (errand.host, errand.port);
            let mut client = match errand.way.implicit {
                false => Secure::connect(address.into(), &config),
                true => {
                    let mut client = Secure::over(TcpStream::connect(address).unwrap(), &config);
                    client.expect_reply(220);
                    client
                }
            };
            client.login(&errand.login.name, &errand.login.password);
            client.protect();
            let begin = |client: &mut Secure, line: &str| match errand.way.active {
                false => client.begin(line),
                true => {
                    let listener = TcpListener::bind((errand.host, 0)).unwrap();
                    let port = listener.local_addr().unwrap().port();
                    let family = if errand.way.ipv6 { 2 } else { 1 };
                    client.expect(&format!("EPRT |{family}|{}|{port}|", errand.host), 200);
                    client.expect(line, 150);
                    handshake(&config, listener.accept().unwrap().0).unwrap()
                }
            };
            for (name, content) in files() {
                let mut data = begin(&mut client, &format!("STOR {name}"));
                end(&mut data, &content, Ending::CloseNotify);
                client.expect_reply(226);
                let mut back = Vec::new();
                let mut data = begin(&mut client, &format!("RETR {name}"));
                data.read_to_end(&mut back).unwrap();
                client.expect_reply(226);
                fs::write(errand.down.join(name), back).unwrap();
            }
        },
    );
}
