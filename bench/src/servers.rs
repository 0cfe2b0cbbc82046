//! The servers that are compared, one row each: whether it is here, and its command line and configuration.
//! It starts nothing.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process;

use nix::unistd::{User, geteuid};

use crate::account::PAM_SERVICE;
use crate::client::Credentials;
use crate::scenario::{self, Scenario};

pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) program: fn(&Programs) -> PathBuf,
    /// The same server as another, but for how durable uploads are.
    pub(crate) is_variant: bool,
    /// As what it must be started.
    pub(crate) rights: Rights,
    /// Writes what the server reads into `place.run` and gives the arguments.
    pub(crate) arguments: fn(&Place) -> io::Result<Vec<OsString>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rights {
    Any,
    Root,
}

#[rustfmt::skip]
pub(crate) const SERVERS: &[Server] = &[
    Server { name: "ftpd", is_variant: false,   program: |programs| programs.ftpd.clone(),  rights: Rights::Any,  arguments: ftpd },
    Server { name: "ftpd-rename", is_variant: true, program: |programs| programs.ftpd.clone(), rights: Rights::Any, arguments: |place| ftpd_with(place, "rename") },
    Server { name: "ftpd-off", is_variant: true, program: |programs| programs.ftpd.clone(), rights: Rights::Any, arguments: |place| ftpd_with(place, "off") },
    Server { name: "vsftpd", is_variant: false, program: |_| "/usr/sbin/vsftpd".into(),     rights: Rights::Root, arguments: vsftpd },
    Server { name: "proftpd", is_variant: false, program: |programs| programs.peer("proftpd-core/usr/sbin/proftpd"), rights: Rights::Root, arguments: proftpd },
    Server { name: "pure-ftpd", is_variant: false, program: |programs| programs.peer("pure-ftpd/usr/sbin/pure-ftpd"), rights: Rights::Root, arguments: pure_ftpd },
];

/// Where the programs are that have no fixed place.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) ftpd: PathBuf,
}

impl Programs {
    /// Another program of ours, which cargo puts beside the server.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.ftpd.with_file_name(name)
    }

    /// Where `packaging/peers.sh` has put what is no installed package, beside what cargo builds.
    pub(crate) fn peer(&self, path: &str) -> PathBuf {
        let target = self.ftpd.parent().and_then(Path::parent);
        target.unwrap_or(Path::new(".")).join("peers").join(path)
    }
}

/// What one start of a server needs to know.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    /// A directory of its own for configuration and logs.
    pub(crate) run: &'a Path,
    pub(crate) home: &'a Path,
    pub(crate) credentials: &'a Credentials,
    pub(crate) ports: Ports,
    pub(crate) programs: &'a Programs,
    /// Certificate and key in one file, where the server is to offer TLS.
    pub(crate) pem: Option<PathBuf>,
    /// Hooks in TOML.
    pub(crate) hooks: Option<&'static str>,
}

impl Server {
    /// Whether a scenario can show what is different about it.
    pub(crate) fn is_for(&self, scenario: &Scenario) -> bool {
        let shows_it = !self.is_variant || scenario.place != scenario::Place::Scratch;
        shows_it && (scenario.hooks().is_none() || self.name == "ftpd")
    }

    /// Why it cannot be measured here.
    pub(crate) fn obstacle(&self, programs: &Programs) -> Option<String> {
        if self.rights == Rights::Root && !geteuid().is_root() {
            return Some(format!("{} needs root", self.name));
        }
        let program = (self.program)(programs);
        (!program.exists()).then(|| format!("{} is not there", program.display()))
    }
}

fn ftpd(place: &Place) -> io::Result<Vec<OsString>> {
    ftpd_with(place, "strict")
}

/// As root it checks the same hash as the others; who is not root has no hash, and nobody to compare with.
fn ftpd_with(place: &Place, durability: &str) -> io::Result<Vec<OsString>> {
    let Credentials { user, password } = place.credentials;
    let home = place.home.display();
    let authentication = place.run.join("auth");
    let secret = if geteuid().is_root() {
        format!("crypt::{}", account(user)?.1)
    } else {
        format!("plain::{password}")
    };
    write(
        &authentication,
        &format!("{user}:{secret}:{user}:{home}:\n"),
    )?;
    let Ports { control, low, high } = place.ports;
    let mut arguments: Vec<OsString> = ["-nodemon", "-port"].map(OsString::from).into();
    arguments.push(control.to_string().into());
    arguments.extend(["-A", "native", "-a"].map(OsString::from));
    arguments.push(authentication.into());
    arguments.extend(["-durability", durability].map(OsString::from));
    arguments.extend(["-i", "127.0.0.1", "-dclow"].map(OsString::from));
    arguments.push(low.to_string().into());
    arguments.push("-dchigh".into());
    arguments.push(high.to_string().into());
    // All clients come from one address as one user.
    for limit in [
        "-maxclients",
        "-maxperaddress",
        "-maxperuser",
        "-maxunauthenticated",
    ] {
        arguments.extend([limit, "0"].map(OsString::from));
    }
    if let Some(pem) = &place.pem {
        arguments.extend(["-cert".into(), pem.into()]);
    }
    if let Some(hooks) = place.hooks {
        let configuration = place.run.join("ftpd.toml");
        let run = place.run.display().to_string();
        write(&configuration, &hooks.replace("{run}", &run))?;
        arguments.extend(["-f".into(), configuration.into()]);
    }
    Ok(arguments)
}

/// As Debian's package comes, with its sandbox and its namespaces, but for local users in their home.
fn vsftpd(place: &Place) -> io::Result<Vec<OsString>> {
    let empty = place.run.join("empty");
    fs::create_dir(&empty)?;
    let configuration = place.run.join("vsftpd.conf");
    let Ports { control, low, high } = place.ports;
    let mut settings = vec![
        ("listen", "YES".into()),
        ("listen_address", Ipv4Addr::LOCALHOST.to_string()),
        ("listen_port", control.to_string()),
        ("background", "NO".into()),
        ("pasv_min_port", low.to_string()),
        ("pasv_max_port", high.to_string()),
        ("anonymous_enable", "NO".into()),
        ("local_enable", "YES".into()),
        ("write_enable", "YES".into()),
        ("ascii_download_enable", "YES".into()),
        ("ascii_upload_enable", "YES".into()),
        ("local_umask", "022".into()),
        ("local_root", place.home.display().to_string()),
        ("chroot_local_user", "YES".into()),
        ("allow_writeable_chroot", "YES".into()),
        ("secure_chroot_dir", empty.display().to_string()),
        ("pam_service_name", PAM_SERVICE.into()),
        ("xferlog_enable", "NO".into()),
        ("max_clients", "0".into()),
        ("max_per_ip", "0".into()),
    ];
    if let Some(pem) = &place.pem {
        let pem = pem.display().to_string();
        settings.push(("rsa_cert_file", pem.clone()));
        settings.push(("rsa_private_key_file", pem));
        // Logins in the clear are let in too, as with the others. That data connections resume a session is demanded
        // by default.
        for (key, value) in [
            ("ssl_enable", "YES"),
            ("force_local_logins_ssl", "NO"),
            ("force_local_data_ssl", "NO"),
        ] {
            settings.push((key, value.into()));
        }
    }
    let text: String = settings
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect();
    write(&configuration, &text)?;
    Ok(vec![configuration.into()])
}

/// The system user of this run and the hash of its password.
fn account(name: &str) -> io::Result<(User, String)> {
    let shadow = fs::read_to_string("/etc/shadow")?;
    let hash = shadow.lines().find_map(|line| {
        let (user, rest) = line.split_once(':')?;
        (user == name).then(|| rest.split(':').next().unwrap_or_default())
    });
    let user = User::from_name(name)?.ok_or_else(|| io::Error::other("the user is gone"))?;
    let hash = hash.ok_or_else(|| io::Error::other("the user has no password"))?;
    Ok((user, hash.to_owned()))
}

/// The account as a line of passwd(5) with the hash of its password.
fn passwd_line(place: &Place, home: &str) -> io::Result<String> {
    let name = &place.credentials.user;
    let (user, hash) = account(name)?;
    Ok(format!("{name}:{hash}:{}:{}::{home}:", user.uid, user.gid))
}

fn proftpd(place: &Place) -> io::Result<Vec<OsString>> {
    let Ports { control, low, high } = place.ports;
    let home = place.home.display();
    let passwd = place.run.join("passwd");
    write(
        &passwd,
        &format!("{}/bin/sh\n", passwd_line(place, &home.to_string())?),
    )?;
    let configuration = place.run.join("proftpd.conf");
    let run = place.run.display();
    let text = format!(
        "ServerName bench\nServerType standalone\nDefaultAddress 127.0.0.1\nPort {control}\nUseIPv6 off\n\
         UseReverseDNS off\nUser nobody\nGroup nogroup\nAuthOrder mod_auth_file.c\nAuthUserFile {}\n\
         RequireValidShell off\nDefaultRoot {home}\nPassivePorts {low} {high}\nMaxInstances none\nAllowOverwrite on\n\
         WtmpLog off\nTransferLog none\nSystemLog none\nScoreboardFile {run}/scoreboard\nPidFile {run}/pid\nDelayEngine off\n",
        passwd.display()
    );
    write(&configuration, &(text + &proftpd_tls(place)))?;
    Ok(["-n".into(), "-q".into(), "-c".into(), configuration.into()].into())
}

/// Data connections need not resume a session, but can: by tickets too, which is the only way in TLS 1.3.
fn proftpd_tls(place: &Place) -> String {
    let Some(pem) = &place.pem else {
        return String::new();
    };
    let modules = "proftpd-mod-crypto/usr/lib/proftpd";
    let modules = place.programs.peer(modules);
    format!(
        "ModulePath {}\nLoadModule mod_tls.c\nTLSEngine on\nTLSLog none\nTLSProtocol TLSv1.2 TLSv1.3\n\
         TLSECCertificateFile {pem}\nTLSECCertificateKeyFile {pem}\nTLSRequired off\nTLSVerifyClient off\n\
         TLSOptions NoSessionReuseRequired\nTLSSessionTickets on\n",
        modules.display(),
        pem = pem.display()
    )
}

/// It lets half as many users in as it has passive ports.
fn pure_ftpd(place: &Place) -> io::Result<Vec<OsString>> {
    let Ports { control, low, high } = place.ports;
    let passwd = place.run.join("users");
    let home = format!("{}/./", place.home.display());
    write(
        &passwd,
        &format!("{}:::::::::::\n", passwd_line(place, &home)?),
    )?;
    let database = place.run.join("users.pdb");
    let made = process::Command::new(place.programs.peer("pure-ftpd/usr/bin/pure-pw"))
        .arg("mkdb")
        .arg(&database)
        .arg("-f")
        .arg(&passwd)
        .status()?;
    if !made.success() {
        return Err(io::Error::other("pure-pw made no database"));
    }
    let arguments = [
        "-S".to_owned(),
        format!("127.0.0.1,{control}"),
        "-4".to_owned(),
        "-E".to_owned(),
        "-H".to_owned(),
        "-l".to_owned(),
        format!("puredb:{}", database.display()),
        "-A".to_owned(),
        "-c".to_owned(),
        "20000".to_owned(),
        "-C".to_owned(),
        "20000".to_owned(),
        "-L".to_owned(),
        "1000000:8".to_owned(),
        "-p".to_owned(),
        format!("{low}:{high}"),
        "-u".to_owned(),
        "1".to_owned(),
        "-f".to_owned(),
        "none".to_owned(),
        "-g".to_owned(),
        place.run.join("pid").display().to_string(),
    ];
    let mut arguments: Vec<_> = arguments.map(OsString::from).into();
    if let Some(pem) = &place.pem {
        arguments.extend(["-Y".into(), "1".into(), "-2".into(), pem.into()]);
    }
    Ok(arguments)
}

pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}

/// A control port and the passive ports after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) control: u16,
    pub(crate) low: u16,
    pub(crate) high: u16,
}

impl Ports {
    /// Pure-FTPd lets half as many users in, and 1,000 are to come.
    const COUNT: u16 = 2010;

    /// A block that is free now, below the ports that Linux gives to clients.
    pub(crate) fn free() -> io::Result<Self> {
        let starts = || (10_000..30_000).step_by(usize::from(Self::COUNT));
        let first = process::id() as usize % starts().len();
        starts()
            .cycle()
            .skip(first)
            .take(starts().len())
            .map(|control: u16| Self {
                control,
                low: control + 1,
                high: control + Self::COUNT - 1,
            })
            .find(Self::are_free)
            .ok_or_else(|| io::Error::other(format!("no {} free ports in a row", Self::COUNT)))
    }

    fn are_free(&self) -> bool {
        (self.control..=self.high)
            .all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_with_a_listener_in_it_is_not_free() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        let ports = Ports {
            control: port - 1,
            low: port,
            high: port,
        };
        assert!(!ports.are_free());
    }

    #[test]
    fn names_of_servers_are_unique() {
        for server in SERVERS {
            let same = SERVERS.iter().filter(|other| other.name == server.name);
            assert_eq!(same.count(), 1, "{}", server.name);
        }
    }
}
