//! Names of users and groups for listings. Parses text that somebody else read; it never asks the system, since a
//! jailed process has no passwd file, and must not load one that its user put there.

use std::sync::Arc;

use crate::proto::facts::decimal;
use crate::settings::Owners;

/// Entries that are kept of each file; the ids of the others are shown as numbers.
const MOST_ENTRIES: usize = 65_536;
/// Longer names are shown as numbers, and so are names that would break the columns of a listing.
const LONGEST_NAME: usize = 32;

/// What stands for every owner that is not to be seen, as other servers have it.
const NOBODY: &[u8] = b"ftp";

/// The names of users and groups by number. Built once, before any fork, and then only shared.
#[derive(Clone, Debug, Default)]
pub struct Names {
    tables: Arc<Tables>,
    hidden: bool,
}

#[derive(Debug, Default)]
struct Tables {
    users: Table,
    groups: Table,
}

impl Names {
    /// Knows no names: every id is shown as a number.
    pub fn numeric() -> Self {
        Names::default()
    }

    /// Takes the names from the text of `/etc/passwd` and `/etc/group`. Lines that it cannot read are left out; of
    /// two names with one number the first is kept, as the C library does.
    pub fn from_passwd(passwd: &[u8], group: &[u8]) -> Self {
        let tables = Tables {
            users: Table::parse(passwd),
            groups: Table::parse(group),
        };
        Names {
            tables: Arc::new(tables),
            hidden: false,
        }
    }

    /// These names, as far as they are to be shown.
    pub fn shown(&self, owners: Owners) -> Names {
        match owners {
            Owners::Names => self.clone(),
            Owners::Numbers => Names::numeric(),
            Owners::Hidden => Names {
                hidden: true,
                ..Names::numeric()
            },
        }
    }

    /// Whether nobody is to learn who owns what.
    pub(super) fn are_hidden(&self) -> bool {
        self.hidden
    }

    /// The name of a user, if it is known.
    pub(super) fn user(&self, uid: u32) -> Option<&[u8]> {
        self.tables.users.find(uid)
    }

    /// The name of a group, if it is known.
    pub(super) fn group(&self, gid: u32) -> Option<&[u8]> {
        self.tables.groups.find(gid)
    }

    /// Appends the name of a user, or the number.
    pub fn write_user(&self, uid: u32, out: &mut Vec<u8>) {
        match self.hidden {
            true => out.extend_from_slice(NOBODY),
            false => self.tables.users.write(uid, out),
        }
    }

    /// Appends the name of a group, or the number.
    pub fn write_group(&self, gid: u32, out: &mut Vec<u8>) {
        match self.hidden {
            true => out.extend_from_slice(NOBODY),
            false => self.tables.groups.write(gid, out),
        }
    }
}

/// Names sorted by id.
#[derive(Debug, Default)]
struct Table(Vec<(u32, Box<[u8]>)>);

impl Table {
    fn parse(text: &[u8]) -> Table {
        let lines = text.split(|&byte| byte == b'\n');
        let mut names: Vec<_> = lines.filter_map(entry).take(MOST_ENTRIES).collect();
        names.sort_by_key(|(id, _)| *id);
        names.dedup_by_key(|(id, _)| *id);
        names.shrink_to_fit();
        Table(names)
    }

    fn find(&self, id: u32) -> Option<&[u8]> {
        let found = self.0.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(&self.0[found].1)
    }

    fn write(&self, id: u32, out: &mut Vec<u8>) {
        match self.find(id) {
            Some(name) => out.extend_from_slice(name),
            None => decimal(out, id.into()),
        }
    }
}

/// Reads `name:password:id:…`, the form that the lines of both files begin with.
fn entry(line: &[u8]) -> Option<(u32, Box<[u8]>)> {
    let mut fields = line.split(|&byte| byte == b':');
    let name = fields.next()?;
    let id = std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
    let printable = name.iter().all(|&byte| byte > b' ' && byte != 0x7f);
    let fits = (1..=LONGEST_NAME).contains(&name.len());
    (printable && fits).then(|| (id, name.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(names: &Names, uid: u32) -> String {
        let mut out = Vec::new();
        names.write_user(uid, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_ids_have_names_and_others_numbers() {
        let passwd = b"root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/:\nlast:x:7:7";
        let names = Names::from_passwd(passwd, b"wheel:x:0:alice,bob\n");
        assert_eq!(user(&names, 0), "root");
        assert_eq!(user(&names, 1000), "alice");
        assert_eq!(user(&names, 7), "last");
        assert_eq!(user(&names, 4_294_967_295), "4294967295");
        let mut out = Vec::new();
        names.write_group(0, &mut out);
        assert_eq!(out, b"wheel");
        assert_eq!(user(&Names::numeric(), 0), "0");
    }

    #[test]
    fn owners_are_shown_by_name_by_number_or_not_at_all() {
        let names = Names::from_passwd(b"alice:x:1000:1000\n", b"");
        assert_eq!(user(&names.shown(Owners::Names), 1000), "alice");
        assert_eq!(user(&names.shown(Owners::Numbers), 1000), "1000");
        assert_eq!(user(&names.shown(Owners::Hidden), 1000), "ftp");
    }

    #[test]
    fn the_first_name_of_a_number_is_kept() {
        let names = Names::from_passwd(b"root:x:0:0\ntoor:x:0:0\n", b"");
        assert_eq!(user(&names, 0), "root");
    }

    #[test]
    fn lines_that_would_break_a_listing_are_left_out() {
        let long = format!("{}:x:5:5\n", "n".repeat(33));
        let text =
            b"two words:x:1:1\n:x:2:2\nbad:x:-3:3\nbad:x\n+::::::\n\ttab:x:4:4\r\n".as_slice();
        let names = Names::from_passwd(&[text, long.as_bytes()].concat(), b"");
        for uid in 0..6 {
            assert_eq!(user(&names, uid), uid.to_string());
        }
    }
}
