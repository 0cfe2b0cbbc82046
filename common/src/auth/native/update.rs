//! Keeps a password in another way once its owner has shown it. Never changes what it does not know to be theirs.

use std::path::Path;

use super::{Edit, NativeError, Record, Scheme, Stored};
use crate::auth::Secret;
use crate::settings::Cost;

/// What became of a stored password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Updated {
    /// It is kept as it should be, or is none, or somebody else changed it meanwhile.
    Nothing,
    Stronger,
    Weaker,
}

/// Replaces the stored password of a record that this password was just verified with. It does not wait for other editors: the
/// next login is another chance.
pub fn update(
    path: &Path,
    record: &Record,
    scheme: Scheme,
    cost: Cost,
    secret: &Secret,
) -> Result<Updated, NativeError> {
    let old = record.stored();
    // SECURITY: any password was right for a null user; the one that came must not become the only one.
    // Nor does MetaFTPd write a challenge anew: its clients that answer one need the password as it is.
    let stays = matches!(old.scheme(), Scheme::Null | Scheme::Challenge);
    if stays || scheme == Scheme::Null || is_kept_as(old, scheme, cost) {
        return Ok(Updated::Nothing);
    }
    // Before the lock: nobody shall wait for this.
    let new = Stored::new(scheme, cost, record.name(), secret)?;
    let mut edit = Edit::begin_at_once(path)?;
    if !edit.holds(record) {
        return Ok(Updated::Nothing);
    }
    edit.set_password(record.name().as_bytes(), &new)?;
    edit.commit()?;
    Ok(if scheme.is_weaker_than(old.scheme()) {
        Updated::Weaker
    } else {
        Updated::Stronger
    })
}

/// Whether nothing is to be gained: an argon2id hash is made anew if it cost less than new ones do.
fn is_kept_as(old: &Stored, scheme: Scheme, cost: Cost) -> bool {
    old.scheme() == scheme && old.cost().is_none_or(|spent| spent.work() >= cost.work())
}
