//! What every session is started with: made once by the listener, before the first fork.

use common::jail::Names;
use common::log::Log;
use common::sandbox::{EmptyRoot, Programs};
use common::settings::Config;

/// Read-only from the first client on; it holds no secret.
#[derive(Debug)]
pub struct Setup {
    pub config: Config,
    pub programs: Programs,
    /// Only root needs and can use it.
    pub empty_root: Option<EmptyRoot>,
    pub names: Names,
    pub log: Log,
}
