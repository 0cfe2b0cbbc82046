//! The headers of an archive that is written: ustar, with an extended header before it for what does not fit. Pure: no I/O.

use tar::{EntryType, Header};

use super::{BLOCK, Entry, Kind, number, records};

/// What an archive ends with.
pub const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

/// The most octets of a prefix and of a name, and of the names of owners with their NUL.
const PREFIX: usize = 155;
const NAME: usize = 100;
const OWNER: usize = 31;

/// To whom an entry belongs: numbers, and names where there are some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    pub uid: u32,
    pub gid: u32,
    pub user: Vec<u8>,
    pub group: Vec<u8>,
}

/// How many octets follow the content of an entry.
pub fn padding(size: u64) -> usize {
    let last = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    (BLOCK - last) % BLOCK
}

/// Appends all that stands before the content of an entry.
pub fn header(entry: &Entry, owner: &Owner, out: &mut Vec<u8>) {
    let mut path = entry.path.clone();
    let (flag, target) = match &entry.kind {
        Kind::File => (EntryType::Regular, b"".as_slice()),
        Kind::Directory => {
            path.push(b'/');
            (EntryType::Directory, b"".as_slice())
        }
        Kind::Link(target) => (EntryType::Symlink, target.as_slice()),
    };
    let mut more = Vec::new();
    let mut plain = Header::new_ustar();
    plain.set_entry_type(flag);
    plain.set_mode(u32::from(entry.mode & 0o777));
    write_names(&mut plain, &mut more, &path, target);
    write_owner(&mut plain, &mut more, owner);
    let fields = plain.as_old_mut();
    if !number::write(&mut fields.size, entry.size) {
        records::write(&mut more, "size", entry.size.to_string().as_bytes());
        let _ = number::write(&mut fields.size, 0);
    }
    let modified = u64::try_from(entry.modified);
    if !modified.is_ok_and(|modified| number::write(&mut fields.mtime, modified)) {
        records::write(&mut more, "mtime", entry.modified.to_string().as_bytes());
        let _ = number::write(&mut fields.mtime, 0);
    }
    if !more.is_empty() {
        extended(&more, entry.modified, out);
    }
    plain.set_cksum();
    out.extend_from_slice(plain.as_bytes());
}

/// Puts the names where they fit, and into records too where they do not or are more than ASCII.
fn write_names(plain: &mut Header, more: &mut Vec<u8>, path: &[u8], target: &[u8]) {
    let fits = match split(path) {
        Some((prefix, name)) => {
            if let Some(ustar) = plain.as_ustar_mut() {
                ustar.prefix[..prefix.len()].copy_from_slice(prefix);
            }
            plain.as_old_mut().name[..name.len()].copy_from_slice(name);
            true
        }
        None => {
            // For readers that know no extended headers.
            plain.as_old_mut().name.copy_from_slice(&path[..NAME]);
            false
        }
    };
    let shown = target.len().min(NAME);
    plain.as_old_mut().linkname[..shown].copy_from_slice(&target[..shown]);
    let path = (path, fits);
    let target = (target, shown == target.len());
    // POSIX has the values in UTF-8 unless this says that they are just octets.
    if [path, target]
        .iter()
        .any(|&(name, fits)| !fits && !is_text(name))
    {
        records::write(more, "hdrcharset", b"BINARY");
    }
    for (key, (name, fits)) in [("path", path), ("linkpath", target)] {
        // What is no text and fits says most where it is: in a record some readers take it for damaged.
        if !fits || (!name.is_ascii() && is_text(name)) {
            records::write(more, key, name);
        }
    }
}

fn is_text(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok()
}

/// A path as prefix and name, between which there is a slash; `None` where it does not fit.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    if path.len() <= NAME {
        return Some((b"", path));
    }
    // The last slash that leaves a name which fits; one at the very end is the name's own.
    let first = path.len() - 1 - NAME;
    let slash = path[first..path.len() - 1]
        .iter()
        .position(|&octet| octet == b'/')?;
    let (prefix, name) = (&path[..first + slash], &path[first + slash + 1..]);
    (1..=PREFIX)
        .contains(&prefix.len())
        .then_some((prefix, name))
}

fn write_owner(plain: &mut Header, more: &mut Vec<u8>, owner: &Owner) {
    let fields = plain.as_old_mut();
    for (field, key, id) in [
        (&mut fields.uid, "uid", owner.uid),
        (&mut fields.gid, "gid", owner.gid),
    ] {
        if !number::write(field, u64::from(id)) {
            records::write(more, key, id.to_string().as_bytes());
            let _ = number::write(field, 0);
        }
    }
    if let Some(ustar) = plain.as_ustar_mut() {
        for (field, name) in [
            (&mut ustar.uname, &owner.user),
            (&mut ustar.gname, &owner.group),
        ] {
            // A name that does not fit is no loss: there is the number.
            if name.len() <= OWNER {
                field[..name.len()].copy_from_slice(name);
            }
        }
    }
}

/// Appends an extended header with its records.
fn extended(text: &[u8], modified: i64, out: &mut Vec<u8>) {
    let mut header = Header::new_ustar();
    header.set_entry_type(EntryType::XHeader);
    header.set_mode(0o644);
    let name = b"PaxHeaders/entry";
    let fields = header.as_old_mut();
    fields.name[..name.len()].copy_from_slice(name);
    let size = text.len() as u64;
    // Two paths and some numbers are far from the limits of the field.
    let _ = number::write(&mut fields.size, size);
    let modified = u64::try_from(modified).unwrap_or(0);
    if !number::write(&mut fields.mtime, modified) {
        let _ = number::write(&mut fields.mtime, 0);
    }
    header.set_cksum();
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(text);
    out.resize(out.len() + padding(size), 0);
}
