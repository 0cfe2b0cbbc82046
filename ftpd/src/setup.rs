//! What every session is started with: made once by the listener, before the first fork.

use common::jail::Names;
use common::log::Log;
use common::sandbox::{EmptyRoot, Programs};
use common::settings::Config;
use common::turns::Turns;

/// Read-only from the first client on; it holds no secret.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) config: Config,
    pub(crate) programs: Programs,
    /// Only root needs and can use it.
    pub(crate) empty_root: Option<EmptyRoot>,
    pub(crate) names: Names,
    /// How many sessions take digests at a time; a single session needs none.
    pub(crate) turns: Option<Turns>,
    pub(crate) log: Log,
}
