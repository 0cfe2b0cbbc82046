//! Settings that a daemon goes by from its start to its end, since what they are about is made once: they stay when
//! the others are read anew. Pure: no I/O.

use super::{Config, GatewayConfig, Outputs, ServerConfig};
use crate::hooks::Hook;

/// Gives a setting the value that it had; true if that was another one.
type Keep<C> = fn(&mut C, &C) -> bool;

/// The same of `ftpproxy`.
const GATEWAY: &[(&str, Keep<GatewayConfig>)] = &[
    ("Port", |new, old| keep(&mut new.port, &old.port)),
    ("BindAddress", |new, old| keep(&mut new.bind, &old.bind)),
    ("ProxyUser", |new, old| keep(&mut new.user, &old.user)),
    ("PidFile", |new, old| keep(&mut new.pid_file, &old.pid_file)),
    ("ControlSocket", |new, old| {
        keep(&mut new.control_socket, &old.control_socket)
    }),
    ("ServLogFile", |new, old| {
        keep(&mut new.log_file, &old.log_file)
    }),
    // For programs as root the daemon has kept what others have given up.
    ("ConnectUpHook and other hooks", |new, old| {
        let privileged = |config: &GatewayConfig| config.hooks().any(Hook::needs_privileges);
        let too_late = privileged(new) && !privileged(old);
        if too_late {
            new.scripts.clone_from(&old.scripts);
            new.hooks.clone_from(&old.hooks);
        }
        too_late
    }),
    // The signer has the keys, and the listener the port.
    (
        "Certificate and other settings of TLS with clients",
        |new, old| keep(&mut new.tls, &old.tls),
    ),
];

/// What the logger has, which opens nothing; of both.
const OUTPUTS: &[(&str, Keep<Outputs>)] = &[
    ("LogFormat", |new, old| keep(&mut new.format, &old.format)),
    ("Syslog", |new, old| keep(&mut new.syslog, &old.syslog)),
    ("SyslogSocket", |new, old| {
        keep(&mut new.syslog_socket, &old.syslog_socket)
    }),
    ("Journal", |new, old| keep(&mut new.journal, &old.journal)),
    ("JournalSocket", |new, old| {
        keep(&mut new.journal_socket, &old.journal_socket)
    }),
    ("TransferLog", |new, old| {
        keep(&mut new.transfers, &old.transfers)
    }),
];

const STANDING: &[(&str, Keep<ServerConfig>)] = &[
    ("SessionUser", |new, old| {
        keep(&mut new.session_user, &old.session_user)
    }),
    ("PidFile", |new, old| keep(&mut new.pid_file, &old.pid_file)),
    ("ControlSocket", |new, old| {
        keep(&mut new.control_socket, &old.control_socket)
    }),
    // The logger has them, which opens nothing.
    ("ServLogFile", |new, old| {
        keep(&mut new.log_file, &old.log_file)
    }),
    // Without PAM the daemon has given up what the modules need.
    ("AuthMethods", |new, old| {
        new.auth_methods.need_pam()
            && !old.auth_methods.need_pam()
            && keep(&mut new.auth_methods, &old.auth_methods)
    }),
    // For programs as root the daemon has kept what others have given up.
    ("UploadHook and other hooks", hooks),
    // All hookds share it.
    ("EventSpool", |new, old| keep(&mut new.spool, &old.spool)),
    ("EventSpoolFull", |new, old| {
        keep(&mut new.spool_full, &old.spool_full)
    }),
];

fn hooks(new: &mut ServerConfig, old: &ServerConfig) -> bool {
    let privileged = |config: &ServerConfig| config.hooks().any(Hook::needs_privileges);
    let too_late = privileged(new) && !privileged(old);
    if too_late {
        new.scripts.clone_from(&old.scripts);
        new.hooks.clone_from(&old.hooks);
    }
    too_late
}

/// The keys of a table that would have changed.
fn stand_by<C>(rows: &[(&'static str, Keep<C>)], new: &mut C, old: &C) -> Vec<&'static str> {
    let other = rows.iter().filter(|(_, keep)| keep(new, old));
    other.map(|(key, _)| *key).collect()
}

fn keep<T: Clone + PartialEq>(new: &mut T, old: &T) -> bool {
    let other = new != old;
    if other {
        new.clone_from(old);
    }
    other
}

impl Config {
    /// Leaves those settings as they were that cannot change while the daemon runs; names those that should have.
    pub fn stand_by(&mut self, old: &Config) -> Vec<&'static str> {
        let mut kept = stand_by(STANDING, &mut self.server, &old.server);
        kept.extend(stand_by(
            OUTPUTS,
            &mut self.server.outputs,
            &old.server.outputs,
        ));
        // Where it is the server's log too, the logger has it.
        let syslog = self.logs_to_syslog() != old.logs_to_syslog();
        if syslog || self.server_log() != old.server_log() {
            self.session.log_file.clone_from(&old.session.log_file);
            kept.push("LogFile");
        }
        kept
    }
}

impl GatewayConfig {
    /// The same.
    pub fn stand_by(&mut self, old: &GatewayConfig) -> Vec<&'static str> {
        // It says how this process runs.
        self.run = old.run;
        let mut kept = stand_by(GATEWAY, self, old);
        kept.extend(stand_by(OUTPUTS, &mut self.outputs, &old.outputs));
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::table::Setting;
    use std::path::PathBuf;

    #[test]
    fn names_are_those_of_the_table() {
        for (key, _) in STANDING {
            let first = key.split(' ').next().unwrap();
            assert!(Setting::find(first).is_some(), "{key}");
        }
        for (key, _) in OUTPUTS {
            assert!(Setting::find(key).is_some(), "{key}");
            assert!(crate::settings::FTPPROXY.find(key).is_some(), "{key}");
        }
        for (key, _) in GATEWAY {
            let first = key.split(' ').next().unwrap();
            assert!(crate::settings::FTPPROXY.find(first).is_some(), "{key}");
        }
    }

    #[test]
    fn what_cannot_change_is_named_and_stays_and_the_rest_changes() {
        let old = Config::default();
        let mut new = Config::default();
        assert_eq!(new.stand_by(&old), [""; 0]);
        new.server.pid_file = Some(PathBuf::from("/x"));
        new.server.min_password = 20;
        assert_eq!(new.stand_by(&old), ["PidFile"]);
        assert_eq!(new.server.pid_file, None);
        assert_eq!(new.server.min_password, 20);
    }
}
