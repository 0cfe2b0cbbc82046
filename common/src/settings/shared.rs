//! Settings that sessions share: they need the daemon, since under inetd no process knows of the others. Pure: no I/O.

use super::assign::{Origins, SettingError};
use super::{Config, OwnSetting, Run, SessionConfig};

/// The keys that are without effect under inetd and ask for something there, in the order of the table.
fn of_server(config: &Config, origins: &Origins) -> Vec<&'static str> {
    let (limits, total) = (&config.server.limits, config.server.total_rates);
    let own = of_session(&config.session);
    // Zero asks for nothing, and what was not said is no mistake.
    let asked = [
        ("PidFile", config.server.pid_file.is_some()),
        ("ControlSocket", config.server.control_socket.is_some()),
        ("MaxClients", limits.clients != 0),
        ("MaxPerAddress", limits.per_address != 0),
        ("MaxUnauthenticated", limits.unauthenticated != 0),
        ("MaxPasswordChecks", limits.password_checks != 0),
        ("ExemptNetworks", limits.exempt.is_some()),
        ("Penalty", !limits.penalty.is_zero()),
        ("Ban", true),
        ("LongestBan", true),
        ("TotalDownloadRate", total.download.is_some()),
        ("TotalUploadRate", total.upload.is_some()),
        ("EventSpool", config.server.spool.is_some()),
    ];
    let asked = asked.into_iter().chain(own);
    asked
        .filter(|(key, asked)| *asked && origins.contains_key(key))
        .map(|(key, _)| key)
        .collect()
}

/// The same of what a user's own settings may say.
fn of_session(session: &SessionConfig) -> [(&'static str, bool); 3] {
    let rates = session.user_rates;
    [
        ("MaxPerUser", session.max_per_user != 0),
        ("UserDownloadRate", rates.download.is_some()),
        ("UserUploadRate", rates.upload.is_some()),
    ]
}

/// What the server's settings ask for and inetd cannot give.
pub(super) fn unshared(config: &Config, origins: &Origins) -> Vec<SettingError> {
    if config.server.run != Run::Inetd {
        return Vec::new();
    }
    let errors = of_server(config, origins).into_iter().filter_map(|key| {
        let origin = origins.get(key)?.0.clone();
        let message = sentence(key);
        Some(SettingError { origin, message })
    });
    errors.collect()
}

/// The first of a user's own settings that asks for what inetd cannot give; `session` is what they make of the server's.
pub(super) fn unshared_own<'a>(
    session: &SessionConfig,
    run: Run,
    mut own: impl Iterator<Item = &'a OwnSetting>,
) -> Option<SettingError> {
    if run != Run::Inetd {
        return None;
    }
    let asked = of_session(session);
    let asks = |key: &str| asked.contains(&(key, true));
    own.find_map(|setting| {
        let key = setting.key.as_ref().ok().filter(|key| asks(key))?;
        Some(SettingError {
            origin: setting.origin.clone(),
            message: sentence(key),
        })
    })
}

fn sentence(key: &str) -> String {
    let instead = match key {
        "TotalDownloadRate" | "TotalUploadRate" | "UserDownloadRate" | "UserUploadRate" => {
            "DownloadRate and UploadRate work there"
        }
        "EventSpool" => {
            "hooks are run there too, but what they have not heard ends with the system"
        }
        _ => "whatever starts ftpd there has limits of its own",
    };
    format!("{key} needs the daemon: under inetd sessions do not know of each other; {instead}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::assign::Origin;
    use crate::settings::table::{Setting, TABLE};

    #[test]
    fn keys_are_as_the_table_has_them_and_defaults_are_no_mistake() {
        let mut config = Config::default();
        config.server.run = Run::Inetd;
        assert_eq!(unshared(&config, &Origins::new()), []);
        let said = |setting: &Setting| (setting.key, (Origin::Flag("x"), String::new()));
        let all: Origins = TABLE.iter().map(said).collect();
        let told = unshared(&config, &all);
        let told: Vec<_> = told.iter().map(|error| &error.message[..]).collect();
        let defaults = [
            "MaxClients",
            "MaxPerAddress",
            "MaxUnauthenticated",
            "Penalty",
            "Ban",
            "LongestBan",
            "MaxPerUser",
        ];
        assert_eq!(told.len(), defaults.len(), "{told:?}");
        for (told, key) in told.iter().zip(defaults) {
            assert!(told.starts_with(&format!("{key} needs the daemon")));
        }
        config.server.run = Run::Background;
        assert_eq!(unshared(&config, &all), []);
    }
}
