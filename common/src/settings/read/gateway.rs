//! Reads the configuration of `ftpproxy`.

use super::{Said, Source, gather};
use crate::settings::assign::SettingError;
use crate::settings::{FTPPROXY, GatewayConfig};

/// The file that is read where no `-f` names one.
pub const DEFAULT_FILE: &str = "/etc/ftpproxy.conf";

/// Reads what the command line of `ftpproxy` says and names: first the file, then, over it, the flags. On failure, says
/// everything that is wrong, not only the first.
pub fn load(source: &Source) -> Result<GatewayConfig, Vec<SettingError>> {
    let mut config = GatewayConfig::default();
    let Said {
        text,
        origins,
        mut errors,
        ..
    } = gather(FTPPROXY, DEFAULT_FILE, source, &mut config);
    // What was written wrong is not missing.
    if errors.is_empty()
        && let Err((key, message)) = config.settle()
    {
        errors.push(SettingError::of(key, message, &origins));
    }
    if errors.is_empty() {
        return Ok(config);
    }
    errors.iter_mut().for_each(|error| error.show(&text));
    Err(errors)
}
