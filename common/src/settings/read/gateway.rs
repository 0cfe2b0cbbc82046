//! Reads the configuration of `ftpproxy`.

use super::{Said, Source, gather, read_bounded, remedy};
use crate::settings::assign::{Origin, Origins, Place, SettingError};
use crate::settings::hooks::Placed;
use crate::settings::shared;
use crate::settings::user_servers::UserServers;
use crate::settings::{FTPPROXY, GatewayConfig};

/// The file that is read where no `-f` names one.
pub const DEFAULT_FILE: &str = "/etc/ftpproxy.conf";

/// Reads what the command line of `ftpproxy` says and names: first the file, then, over it, the flags. On failure, says
/// everything that is wrong, not only the first.
pub fn load(source: &Source) -> Result<GatewayConfig, Vec<SettingError>> {
    let mut config = GatewayConfig::default();
    let Said {
        text,
        hooks,
        origins,
        mut errors,
        ..
    } = gather(FTPPROXY, DEFAULT_FILE, source, &mut config);
    let misplaced = hooks.all.iter().filter_map(Placed::misplaced_at_a_gateway);
    errors.extend(misplaced);
    config.hooks = hooks;
    // What was written wrong is not missing.
    if errors.is_empty()
        && let Err((key, message)) = config.settle()
    {
        errors.push(SettingError::of(key, message, &origins));
    }
    errors.extend(shared::unshared_by_gateway(&config, &origins));
    if errors.is_empty() {
        read_user_servers(&mut config, &origins)?;
        return Ok(config);
    }
    errors.sort_by_key(|error| error.origin.order());
    errors.iter_mut().for_each(|error| error.show(&text));
    Err(errors)
}

/// Reads the file that says who is led where. SECURITY: whoever can write it can have passwords sent to another server.
fn read_user_servers(
    config: &mut GatewayConfig,
    origins: &Origins,
) -> Result<(), Vec<SettingError>> {
    let pool = &mut config.pool;
    let Some(path) = &pool.user_file else {
        return Ok(());
    };
    let octets = read_bounded(path, nix::unistd::geteuid().is_root()).map_err(|error| {
        let (path, remedy) = (path.display(), remedy(&error, "UserServers"));
        let text = format!("UserServers: {path} cannot be read: {error}{remedy}");
        vec![SettingError::of("UserServers", text, origins)]
    })?;
    let text = String::from_utf8_lossy(&octets);
    let parsed = match str::from_utf8(&octets) {
        Ok(text) => UserServers::parse(text, &pool.servers),
        Err(error) => {
            let sentence = "this is not UTF-8: save the file in that encoding";
            Err(vec![(
                Place::of_no_text(&octets, error),
                sentence.to_owned(),
            )])
        }
    };
    match parsed {
        Ok(users) => {
            pool.users = users;
            Ok(())
        }
        Err(complaints) => {
            let error = |(at, message)| {
                let path = path.clone();
                let origin = Origin::Placed { path, at };
                let mut error = SettingError { origin, message };
                error.show(&text);
                error
            };
            Err(complaints.into_iter().map(error).collect())
        }
    }
}
