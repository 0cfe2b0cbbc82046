//! What every session is started with: made once by the listener, before the first fork.

use common::jail::Names;
use common::log::Log;
use common::sandbox::{EmptyRoot, Programs};
use common::settings::Config;

/// Read-only from the first client on; it holds no secret.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) programs: Programs,
    /// Only root needs and can use it.
    pub(crate) empty_root: Option<EmptyRoot>,
    pub(crate) names: Names,
    pub(crate) log: Log,
}
