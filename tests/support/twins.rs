//! Debian's FTP servers, unpacked beside each other, each serving the home of a user made for it. Needs root.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::scratch::{Scratch, give};
use crate::server::Login;
use crate::user::SystemUser;
use crate::wait;

const PASSWORD: &str = "correct horse";

/// Where `packaging/peers.sh` has put a server.
pub fn program(name: &str) -> Option<PathBuf> {
    let package = if name == "proftpd" {
        "proftpd-core"
    } else {
        name
    };
    crate::binaries::peer(package, name)
}

/// Where ProFTPD's TLS is, which is a package of its own.
fn proftpd_modules() -> Option<PathBuf> {
    let modules = crate::binaries::unpacked("proftpd-mod-crypto")?.join("usr/lib/proftpd");
    modules.is_dir().then_some(modules)
}

/// A running server with the files that the transcripts speak of.
pub struct Twin {
    child: Child,
    pub login: Login,
    /// What it needs outside its directory.
    left: Vec<PathBuf>,
    _user: SystemUser,
    _scratch: Scratch,
}

impl Twin {
    pub fn start(name: &str, program: &Path) -> Twin {
        Twin::start_with(name, program, None)
    }

    /// With a certificate and its key in one file: it offers TLS, and data under TLS has to resume the session of its control
    /// connection where the server can demand that.
    pub fn start_with(name: &str, program: &Path, pem: Option<&Path>) -> Twin {
        Twin::start_on(Ipv4Addr::LOCALHOST, name, program, pem)
    }

    /// The same on an address of this machine.
    pub fn start_on(ip: Ipv4Addr, name: &str, program: &Path, pem: Option<&Path>) -> Twin {
        let scratch = Scratch::new();
        let user = SystemUser::with_groups(0);
        set_password(&user.name);
        let home = scratch.directory("home");
        furnish(&home);
        own(&home, &user);
        settle(&user.name, &home);
        // None of them can choose a port itself: until one has its port, no other may be given the same.
        static CHOOSING: Mutex<()> = Mutex::new(());
        let _chosen = CHOOSING.lock().unwrap_or_else(PoisonError::into_inner);
        // A data connection of another may have taken the port meanwhile: then the server ends, and another port is tried.
        let mut words = String::new();
        for _ in 0..5 {
            let place = Place {
                scratch: &scratch,
                home: &home,
                user: &user,
                address: free_address(ip),
                pem,
            };
            match place.start(name, program) {
                Ok((child, left)) => {
                    let login = Login {
                        address: place.address,
                        name: user.name.clone(),
                        password: PASSWORD.into(),
                        certificate: None,
                        led: None,
                    };
                    return Twin {
                        child,
                        login,
                        left,
                        _user: user,
                        _scratch: scratch,
                    };
                }
                Err(said) => words.push_str(&said),
            }
        }
        panic!("{name} ends before it listens:\n{words}");
    }
}

/// An address with a port that is free at this moment, and that the kernel gives to no connection by itself.
fn free_address(ip: Ipv4Addr) -> SocketAddr {
    let port = std::iter::repeat_with(|| fastrand::u16(20_000..32_000))
        .take(1_000)
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok());
    SocketAddr::from((ip, port.expect("a free port below 32,000")))
}

impl Drop for Twin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        for path in &self.left {
            let _ = fs::remove_file(path);
        }
    }
}

/// Gives a user of the system a home and a shell.
fn settle(user: &str, home: &Path) {
    let settled = Command::new("usermod")
        .arg("--home")
        .arg(home)
        .args(["--shell", "/bin/sh", user])
        .status()
        .unwrap();
    assert!(settled.success(), "usermod");
}

fn set_password(user: &str) {
    let mut child = Command::new("chpasswd")
        .args(["-c", "SHA512"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(format!("{user}:{PASSWORD}\n").as_bytes())
        .unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success(), "chpasswd");
}

/// The hash that chpasswd has made.
fn hash_of(user: &str) -> String {
    let shadow = fs::read_to_string("/etc/shadow").unwrap();
    let line = shadow
        .lines()
        .find(|line| line.split(':').next() == Some(user));
    line.unwrap().split(':').nth(1).unwrap().to_owned()
}

/// As the servers of the other tests are furnished.
fn furnish(home: &Path) {
    fs::create_dir(home.join("sub")).unwrap();
    for (name, content) in [
        ("hello.txt", "hello world\n"),
        ("lines.txt", "one\ntwo\n"),
        ("sub/inner.txt", "inner\n"),
    ] {
        fs::write(home.join(name), content).unwrap();
    }
}

fn own(directory: &Path, user: &SystemUser) {
    give(directory, user.uid, user.gid);
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            own(&path, user);
        } else {
            give(&path, user.uid, user.gid);
        }
    }
}

/// What a configuration speaks of.
struct Place<'a> {
    scratch: &'a Scratch,
    home: &'a Path,
    user: &'a SystemUser,
    address: SocketAddr,
    pem: Option<&'a Path>,
}

impl Place<'_> {
    /// The server when it listens, and the files it needs outside its directory; or what it said before it ended.
    fn start(&self, name: &str, program: &Path) -> Result<(Child, Vec<PathBuf>), String> {
        let (arguments, left) = match name {
            "vsftpd" => self.vsftpd(),
            "proftpd" => self.proftpd(),
            _ => self.pure_ftpd(),
        };
        let said = self.scratch.join("said");
        let words = fs::File::create(&said).unwrap();
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(words.try_clone().unwrap())
            .stderr(words)
            .spawn()
            .unwrap();
        let mut ended = None;
        wait::until("the twin listens, or ends", || {
            ended = child.try_wait().unwrap();
            ended.is_some() || TcpStream::connect(self.address).is_ok()
        });
        match ended {
            None => Ok((child, left)),
            Some(status) => {
                for path in left {
                    let _ = fs::remove_file(path);
                }
                Err(format!("{status}: {}", fs::read_to_string(said).unwrap()))
            }
        }
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.scratch.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn vsftpd(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let service = PathBuf::from("/etc/pam.d").join(&self.user.name);
        fs::write(
            &service,
            "auth required pam_unix.so\naccount required pam_unix.so\n",
        )
        .unwrap();
        let empty = self.scratch.directory("empty");
        let mut settings = format!(
            "listen=YES\nbackground=NO\nlisten_address={}\nlisten_port={}\nanonymous_enable=NO\nlocal_enable=YES\n\
             write_enable=YES\nlocal_root={}\nchroot_local_user=YES\nallow_writeable_chroot=YES\nlocal_umask=022\n\
             check_shell=NO\nascii_upload_enable=YES\nascii_download_enable=YES\nasync_abor_enable=YES\n\
             pam_service_name={}\nsecure_chroot_dir={}\nseccomp_sandbox=NO\nxferlog_enable=NO\n",
            self.address.ip(),
            self.address.port(),
            self.home.display(),
            self.user.name,
            empty.display(),
        );
        if let Some(pem) = self.pem {
            let pem = pem.display();
            settings += &format!(
                "ssl_enable=YES\nrsa_cert_file={pem}\nrsa_private_key_file={pem}\nrequire_ssl_reuse=YES\n\
                 force_local_logins_ssl=NO\nforce_local_data_ssl=NO\nssl_ciphers=HIGH\n"
            );
        }
        (vec![self.file("vsftpd.conf", &settings)], vec![service])
    }

    fn proftpd(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let (uid, gid) = (self.user.uid, self.user.gid);
        let name = &self.user.name;
        let passwd = format!(
            "{name}:{}:{uid}:{gid}::{}:/bin/sh\n",
            hash_of(name),
            self.home.display()
        );
        let passwd = self.file("passwd", &passwd);
        let group = self.file("group", &format!("{name}:x:{gid}:\n"));
        let mut settings = format!(
            "ServerName twin\nServerType standalone\nSocketBindTight on\nDefaultAddress {}\nPort {}\nUseIPv6 off\nUseReverseDNS off\n\
             User nobody\nGroup nogroup\nAuthOrder mod_auth_file.c\nAuthUserFile {}\nAuthGroupFile {}\n\
             RequireValidShell off\nDefaultRoot {}\nAllowOverwrite on\nAllowStoreRestart on\nWtmpLog off\nTransferLog none\n\
             SystemLog none\nScoreboardFile {}\nPidFile {}\n",
            self.address.ip(),
            self.address.port(),
            passwd.display(),
            group.display(),
            self.home.display(),
            self.scratch.join("scoreboard").display(),
            self.scratch.join("pid").display(),
        );
        if let (Some(pem), Some(modules)) = (self.pem, proftpd_modules()) {
            settings += &format!(
                "ModulePath {}\nLoadModule mod_tls.c\nTLSEngine on\nTLSLog none\nTLSProtocol TLSv1.2 TLSv1.3\n\
                 TLSECCertificateFile {pem}\nTLSECCertificateKeyFile {pem}\nTLSRequired off\nTLSVerifyClient off\n\
                 TLSSessionTickets on\n",
                modules.display(),
                pem = pem.display(),
            );
        }
        let file = self.file("proftpd.conf", &settings);
        (
            vec!["-n".into(), "-q".into(), "-c".into(), file],
            Vec::new(),
        )
    }

    fn pure_ftpd(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let listen = format!("{},{}", self.address.ip(), self.address.port());
        let pid = self.scratch.join("pid").display().to_string();
        let mut arguments = [
            "-S", &listen, "-4", "-E", "-H", "-l", "unix", "-A", "-u", "1", "-f", "none", "-g",
            &pid,
        ]
        .map(PathBuf::from)
        .to_vec();
        if let Some(pem) = self.pem {
            arguments.extend(["-Y".into(), "1".into(), "-2".into(), pem.to_owned()]);
        }
        (arguments, Vec::new())
    }
}
