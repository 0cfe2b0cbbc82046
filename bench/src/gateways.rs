//! The gateways that are measured, one value each: the command line and configuration of one that leads to a server on
//! loopback, by the name that clients log in with. It starts nothing.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use crate::servers::{Place, Programs, write};

pub(crate) struct Gateway {
    pub(crate) name: &'static str,
    program: fn(&Programs) -> PathBuf,
    /// As `Server::arguments`; the number is the server's port.
    pub(crate) arguments: fn(&Place, u16) -> io::Result<Vec<OsString>>,
}

/// Clients have TLS with it where the scenario has; the way to the server is in the clear.
pub(crate) const FTPPROXY: Gateway = Gateway {
    name: "ftpproxy",
    program: |programs| programs.beside("ftpproxy"),
    arguments: ftpproxy,
};

pub(crate) const FTP_PROXY: Gateway = Gateway {
    name: "ftp-proxy",
    program: |programs| programs.peer("ftp-proxy/usr/sbin/ftp-proxy"),
    arguments: ftp_proxy,
};

pub(crate) const MOD_PROXY: Gateway = Gateway {
    name: "mod_proxy",
    program: |programs| programs.peer("proftpd-core/usr/sbin/proftpd"),
    arguments: mod_proxy,
};

impl Gateway {
    /// `None` where it is not here.
    pub(crate) fn path(&self, programs: &Programs) -> Option<PathBuf> {
        let modules = [MODULE, TLS_MODULE].map(|path| programs.peer(path).exists());
        let whole = self.name != MOD_PROXY.name || modules == [true; 2];
        Some((self.program)(programs)).filter(|path| whole && path.exists())
    }
}

const MODULE: &str = "proftpd-mod-proxy/usr/lib/proftpd/mod_proxy.so";
const TLS_MODULE: &str = "proftpd-mod-crypto/usr/lib/proftpd/mod_tls.so";

fn ftpproxy(place: &Place, server: u16) -> io::Result<Vec<OsString>> {
    let configuration = place.run.join("ftpproxy.conf");
    let ports = place.ports;
    let mut text = format!(
        "Targets=127.0.0.1:{server}\nDataConnectionPortRange={}-{}\n",
        ports.low, ports.high
    );
    // All clients come from one address as one user.
    for limit in [
        "MaxClients",
        "MaxPerAddress",
        "MaxPerUser",
        "MaxUnauthenticated",
    ] {
        text.push_str(&format!("{limit}=0\n"));
    }
    if let Some(pem) = &place.pem {
        text.push_str(&format!("Certificate={}\n", pem.display()));
    }
    write(&configuration, &text)?;
    let mut arguments: Vec<OsString> = ["-nodemon", "-i", "127.0.0.1", "-port"]
        .map(OsString::from)
        .into();
    arguments.push(ports.control.to_string().into());
    arguments.extend(["-f".into(), configuration.into()]);
    Ok(arguments)
}

/// As nobody, without a root of its own: its manual leaves that to who sets it up.
fn ftp_proxy(place: &Place, server: u16) -> io::Result<Vec<OsString>> {
    let configuration = place.run.join("ftp-proxy.conf");
    let ports = place.ports;
    let text = format!(
        "ServerType standalone\nListen 127.0.0.1\nPort {}\nDestinationAddress 127.0.0.1\nDestinationPort {server}\n\
         DestinationTransferMode passive\nPassiveMinDataPort {}\nPassiveMaxDataPort {}\nAllowMagicUser yes\n\
         ForkLimit 1000000\nMaxClients 512\nUser nobody\nGroup nogroup\nPidFile {}\n",
        ports.control,
        ports.low,
        ports.high,
        place.run.join("pid").display(),
    );
    write(&configuration, &text)?;
    Ok(["-d".into(), "-n".into(), "-f".into(), configuration.into()].into())
}

fn mod_proxy(place: &Place, server: u16) -> io::Result<Vec<OsString>> {
    let configuration = place.run.join("mod_proxy.conf");
    let tables = place.run.join("tables");
    fs::create_dir(&tables)?;
    // It needs mod_tls, of another package, and modules have one directory.
    let modules = place.run.join("modules");
    fs::create_dir(&modules)?;
    for module in [TLS_MODULE, MODULE].map(|path| place.programs.peer(path)) {
        let name = module.file_name().unwrap_or_default();
        symlink(fs::canonicalize(&module)?, modules.join(name))?;
    }
    let modules = modules.display();
    let ports = place.ports;
    let text = format!(
        "ServerName gateway\nServerType standalone\nDefaultAddress 127.0.0.1\nPort {}\nUseIPv6 off\nUseReverseDNS off\n\
         User nobody\nGroup nogroup\nPassivePorts {} {}\nMaxInstances none\nWtmpLog off\nTransferLog none\nSystemLog none\n\
         DelayEngine off\nScoreboardFile {run}/scoreboard\nPidFile {run}/pid\nModulePath {modules}\nLoadModule mod_tls.c\nLoadModule mod_proxy.c\n\
         ProxyEngine on\nProxyRole forward\nProxyForwardMethod user@host\nProxyForwardTo ^127.0.0.1:{server}$\n\
         ProxyDataTransferPolicy passive\nProxyTables {}\nProxyLog none\n\
         <Class clients>\n  From 127.0.0.0/8\n  ProxyForwardEnabled on\n</Class>\n",
        ports.control,
        ports.low,
        ports.high,
        tables.display(),
        run = place.run.display(),
    );
    write(&configuration, &text)?;
    Ok(["-n".into(), "-q".into(), "-c".into(), configuration.into()].into())
}
