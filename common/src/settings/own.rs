//! Settings of single users, over the server's: from tables of the server's file, and from the users' own entries.
//! Pure: no I/O.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::assign::{Origin, lookup};
use super::table::FTPD;

/// A setting of one user, where it is made. What is wrong with it counts only when that user logs in.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnSetting {
    /// The key as the table of settings has it, or why there is none.
    pub key: Result<&'static str, String>,
    pub text: String,
    pub origin: Origin,
}

impl OwnSetting {
    /// A setting of a user's entry, by its number in there.
    pub(super) fn of_entry(nth: usize, (key, text): &(String, String)) -> OwnSetting {
        OwnSetting {
            key: lookup(FTPD, key).map(|setting| setting.key),
            text: text.clone(),
            origin: Origin::User(Some(nth)),
        }
    }
}

/// The tables of users in the server's file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserTables(BTreeMap<String, Vec<OwnSetting>>);

impl UserTables {
    /// Adds a table; `false` if there is one for this name in another case.
    pub(super) fn add(&mut self, name: &str, settings: Vec<OwnSetting>) -> bool {
        match self.0.entry(name.to_ascii_lowercase()) {
            Entry::Vacant(place) => {
                place.insert(settings);
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// The settings of a user, in any case of the name.
    pub fn of(&self, name: &[u8]) -> &[OwnSetting] {
        let name = String::from_utf8_lossy(&name.to_ascii_lowercase()).into_owned();
        self.0.get(&name).map_or(&[], Vec::as_slice)
    }

    /// All tables: the name in lower case, and the settings.
    pub fn all(&self) -> impl Iterator<Item = (&str, &[OwnSetting])> {
        self.0
            .iter()
            .map(|(name, settings)| (name.as_str(), settings.as_slice()))
    }
}
