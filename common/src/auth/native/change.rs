//! Gives a user another password, for who knows the present one.

use std::fmt;
use std::path::Path;

use super::{Edit, NativeError, Scheme, Stored, UserFile, Verdict};
use crate::auth::Secret;
use crate::settings::Cost;

/// Why a password stays as it is.
#[derive(Debug)]
pub enum Unchanged {
    /// The old one is wrong.
    WrongPassword,
    /// Any password is right for this user.
    Null,
    /// Somebody else changed the user's line meanwhile.
    Changed,
    Native(NativeError),
}

impl From<NativeError> for Unchanged {
    fn from(error: NativeError) -> Self {
        Unchanged::Native(error)
    }
}

impl fmt::Display for Unchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unchanged::WrongPassword => f.write_str("wrong old password"),
            Unchanged::Null => f.write_str("the account has no password"),
            Unchanged::Changed => f.write_str("somebody else changed the account meanwhile"),
            Unchanged::Native(error) => error.fmt(f),
        }
    }
}

/// Verifies `old` and puts `new` in its place, kept as `scheme`.
pub fn change(
    path: &Path,
    name: &[u8],
    scheme: Scheme,
    cost: Cost,
    (old, new): (&Secret, &Secret),
) -> Result<(), Unchanged> {
    let record = UserFile::open_trusted(path)?.find(name)?;
    if record.stored().scheme() == Scheme::Null || scheme == Scheme::Null {
        return Err(Unchanged::Null);
    }
    match record.verify(old).map_err(NativeError::from)? {
        Verdict::Accept => {}
        Verdict::Refuse => return Err(Unchanged::WrongPassword),
    }
    // Before the lock: nobody shall wait for this.
    let new = Stored::new(scheme, cost, record.name(), new).map_err(NativeError::from)?;
    let mut edit = Edit::begin_at_once(path)?;
    // SECURITY: the password that was shown is no longer this user's, or the user is gone.
    if !edit.holds(&record) {
        return Err(Unchanged::Changed);
    }
    edit.set_password(record.name().as_bytes(), &new)?;
    Ok(edit.commit()?)
}
