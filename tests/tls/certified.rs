//! Programs that people have, with certificates of their own: a file up and down again, without a password and beside one.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use rustls::version::TLS13;
use tests::real::finish;
use tests::{Scratch, require};

use crate::clients::Scene;
use crate::pki::ClientAuthority;

const CONTENT: &[u8] = b"what a partner sends every night\n";

/// What a program is to do: as whom, with which files.
struct Errand<'a> {
    scene: &'a Scene,
    user: &'a str,
    /// Nonsense where none is needed.
    password: String,
    scratch: &'a Scratch,
}

impl Errand<'_> {
    fn path(&self, name: &str) -> String {
        self.scratch.join(name).to_str().unwrap().to_owned()
    }

    fn address(&self) -> String {
        self.scene.server.address().to_string()
    }
}

/// Has a program do it, for an account that needs no password and for one that needs both.
fn run(go: impl Fn(&Errand)) {
    let trusted = ClientAuthority::new("clients");
    let accounts = &[
        ("alone", "CertificateLogin=only"),
        ("beside", "CertificateLogin=both"),
    ];
    let settings = &[
        "ClientCertificate=required",
        "TLSRequired=all",
        "TLSDataBinding=require",
    ];
    let scene = Scene::new(&trusted, accounts, settings);
    for user in ["alone", "beside"] {
        let scratch = Scratch::new();
        trusted.certify(user).files(&scratch.join(""));
        fs::write(scratch.join("up"), CONTENT).unwrap();
        let certificate = scene.server.scratch.join("certificate.pem");
        fs::copy(certificate, scratch.join("ca.pem")).unwrap();
        go(&Errand {
            scene: &scene,
            user,
            password: match user {
                "alone" => "nonsense".to_owned(),
                _ => scene.server.login.password.clone(),
            },
            scratch: &scratch,
        });
        assert_eq!(fs::read(scene.server.home.join("up")).unwrap(), CONTENT);
        assert_eq!(fs::read(scratch.join("down")).unwrap(), CONTENT);
        fs::remove_file(scene.server.home.join("up")).unwrap();
    }
}

#[test]
fn curl_comes_in_by_a_certificate() {
    if !require::programs(&["curl"]) {
        return;
    }
    for version in ["1.2", "1.3"] {
        run(|errand| {
            let url = format!("ftp://{}/up", errand.address());
            for file in [["-T", "up"], ["-o", "down"]] {
                let mut command = Command::new("curl");
                command.args(["--disable", "-sS", "--ssl-reqd"]);
                command.args(["--cacert", &errand.path("ca.pem")]);
                command.args(["--cert", &errand.path("client.pem")]);
                command.args(["--key", &errand.path("client.key")]);
                command.args([&format!("--tlsv{version}"), "--tls-max", version]);
                command.args(["-u", &format!("{}:{}", errand.user, errand.password)]);
                command.args([file[0], &errand.path(file[1])]);
                finish(command.arg(&url), "");
            }
        });
    }
}

#[test]
fn lftp_comes_in_by_a_certificate() {
    if !require::programs(&["lftp"]) {
        return;
    }
    run(|errand| {
        let script = format!(
            "set net:max-retries 1; set ftp:ssl-force yes; set ftp:ssl-protect-data yes; set ssl:check-hostname no; \
             set ssl:ca-file {}; set ssl:cert-file {}; set ssl:key-file {}; open -u {},{} ftp://{}; \
             put {} -o up; get up -o {}; bye",
            errand.path("ca.pem"),
            errand.path("client.pem"),
            errand.path("client.key"),
            errand.user,
            errand.password.replace(' ', "\\ "),
            errand.address(),
            errand.path("up"),
            errand.path("down"),
        );
        let mut command = Command::new("lftp");
        finish(command.args(["--norc", "-c", &script]), "");
    });
}

const FTPLIB: &str = r#"
import ftplib, os, ssl
class Reusing(ftplib.FTP_TLS):
    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        return self.context.wrap_socket(conn, server_hostname=self.host, session=self.sock.session), size
path = lambda name: os.path.join(os.environ['FTP_FILES'], name)
context = ssl.create_default_context(cafile=path('ca.pem'))
context.load_cert_chain(path('client.pem'), path('client.key'))
context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, os.environ['FTP_VERSION'])
ftp = Reusing(context=context)
host, port = os.environ['FTP_ADDRESS'].split(':')
ftp.connect(host, int(port))
ftp.login(os.environ['FTP_USER'], os.environ['FTP_PASSWORD'])
ftp.prot_p()
with open(path('up'), 'rb') as file:
    ftp.storbinary('STOR up', file)
with open(path('down'), 'wb') as file:
    ftp.retrbinary('RETR up', file.write)
ftp.quit()
"#;

#[test]
fn ftplib_comes_in_by_a_certificate() {
    if !require::programs(&["python3"]) {
        return;
    }
    for version in ["TLSv1_2", "TLSv1_3"] {
        run(|errand| {
            let mut command = Command::new("python3");
            command
                .args(["-c", FTPLIB])
                .env("FTP_FILES", errand.path(""))
                .env("FTP_VERSION", version)
                .env("FTP_ADDRESS", errand.address())
                .env("FTP_USER", errand.user)
                .env("FTP_PASSWORD", &errand.password);
            finish(&mut command, "");
        });
    }
}

#[test]
fn s_client_comes_in_by_a_certificate() {
    if !require::programs(&["openssl"]) {
        return;
    }
    let trusted = ClientAuthority::new("clients");
    let accounts = &[("alone", "CertificateLogin=only")];
    let scene = Scene::new(&trusted, accounts, &["ClientCertificate=optional"]);
    let scratch = Scratch::new();
    let identity = trusted.certify("alone");
    identity.files(&scratch.join(""));
    for version in ["-tls1_2", "-tls1_3"] {
        let mut client = Command::new("openssl")
            .args(["s_client", "-quiet", "-crlf", "-starttls", "ftp", version])
            .args(["-connect", &scene.server.address().to_string()])
            .args(["-cert", scratch.join("client.pem").to_str().unwrap()])
            .args(["-key", scratch.join("client.key").to_str().unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut say = client.stdin.take().unwrap();
        say.write_all(b"USER alone\nPWD\nQUIT\n").unwrap();
        let heard = client.wait_with_output().unwrap().stdout;
        let heard = String::from_utf8_lossy(&heard);
        for code in ["232 ", "257 ", "221 "] {
            assert!(heard.contains(code), "{heard}");
        }
    }
    // What it showed is what rustls shows.
    scene
        .connect(&scene.authority.client_with(&TLS13, &identity))
        .expect("USER alone", 232);
}
