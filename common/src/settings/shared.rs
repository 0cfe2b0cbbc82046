//! Settings that sessions share: they need the daemon, since under inetd no process knows of the others. Pure: no I/O.

use super::assign::{Origins, SettingError};
use super::{Config, GatewayConfig, OwnSetting, Run, SessionConfig, Transparent};

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

/// The keys of a gateway that are without effect there and ask for something, in the order of the table.
fn of_gateway(config: &GatewayConfig, origins: &Origins) -> Vec<&'static str> {
    let limits = &config.limits;
    let asked = [
        ("Servers", config.pools()),
        ("TProxy", config.transparent == Transparent::Tproxy),
        ("PidFile", config.pid_file.is_some()),
        ("ControlSocket", config.control_socket.is_some()),
        ("MaxClients", limits.clients != 0),
        ("MaxPerAddress", limits.per_address != 0),
        ("MaxPerUser", config.max_per_user != 0),
        ("MaxUnauthenticated", limits.unauthenticated != 0),
        ("ExemptNetworks", limits.exempt.is_some()),
        ("Penalty", !limits.penalty.is_zero()),
        ("Ban", true),
        ("LongestBan", true),
    ];
    let asked = asked.into_iter();
    asked
        .filter(|(key, asked)| *asked && origins.contains_key(key))
        .map(|(key, _)| key)
        .collect()
}

/// What the settings of a gateway ask for and inetd cannot give.
pub(super) fn unshared_by_gateway(config: &GatewayConfig, origins: &Origins) -> Vec<SettingError> {
    if config.run != Run::Inetd {
        return Vec::new();
    }
    let errors = of_gateway(config, origins).into_iter().filter_map(|key| {
        let origin = origins.get(key)?.0.clone();
        let message = match key {
            "Servers" => {
                "Servers needs the daemon, which knows how the servers of a pool are: under inetd say Server".to_owned()
            }
            "TProxy" => {
                "TProxy needs the daemon: the socket that clients come to is inetd's, which takes no connections for other \
                 machines; Transparent works there"
                    .to_owned()
            }
            _ => sentence(key, "ftpproxy"),
        };
        Some(SettingError { origin, message })
    });
    errors.collect()
}

/// What the server's settings ask for and inetd cannot give.
pub(super) fn unshared(config: &Config, origins: &Origins) -> Vec<SettingError> {
    if config.server.run != Run::Inetd {
        return Vec::new();
    }
    let errors = of_server(config, origins).into_iter().filter_map(|key| {
        let origin = origins.get(key)?.0.clone();
        let message = sentence(key, "ftpd");
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
            message: sentence(key, "ftpd"),
        })
    })
}

fn sentence(key: &str, program: &str) -> String {
    let own = format!("whatever starts {program} there has limits of its own");
    let instead = match key {
        "TotalDownloadRate" | "TotalUploadRate" | "UserDownloadRate" | "UserUploadRate" => {
            "DownloadRate and UploadRate work there"
        }
        "EventSpool" => {
            "hooks are run there too, but what they have not heard ends with the system"
        }
        _ => &own,
    };
    format!("{key} needs the daemon: under inetd sessions do not know of each other; {instead}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::FTPPROXY;
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

    #[test]
    fn those_of_a_gateway_are_as_its_table_has_them() {
        let mut config = GatewayConfig {
            run: Run::Inetd,
            ..GatewayConfig::default()
        };
        config.pool.servers = crate::settings::pool::servers("one=192.0.2.1").unwrap();
        config.transparent = Transparent::Tproxy;
        assert_eq!(unshared_by_gateway(&config, &Origins::new()), []);
        let said = |setting: &Setting| (setting.key, (Origin::Flag("x"), String::new()));
        let all: Origins = FTPPROXY.rows.iter().map(said).collect();
        let told = unshared_by_gateway(&config, &all);
        let told: Vec<_> = told.iter().map(|error| &error.message[..]).collect();
        let keys = [
            "Servers",
            "TProxy",
            "MaxClients",
            "MaxPerAddress",
            "MaxPerUser",
            "MaxUnauthenticated",
            "Penalty",
            "Ban",
            "LongestBan",
        ];
        assert_eq!(told.len(), keys.len(), "{told:?}");
        for (told, key) in told.iter().zip(keys) {
            assert!(
                told.starts_with(&format!("{key} needs the daemon")),
                "{told}"
            );
        }
        config.run = Run::Background;
        assert_eq!(unshared_by_gateway(&config, &all), []);
    }
}
