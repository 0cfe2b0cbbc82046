//! The forms in which files are described: MLSx facts and time values (RFC 3659), LIST lines. Pure: no I/O.
//!
//! These are written once for every entry of a listing: straight into the output, without `format!`, and what
//! neighbouring entries share (mode and owner) is kept from the last entry.

mod calendar;
mod permissions;
mod set;

pub use calendar::{Calendar, seconds_of};
pub use permissions::Permissions;
pub use set::FactSet;

/// The FEAT line of MLST (RFC 3659 §7.8) before a client chooses: every fact is on.
pub const FEAT: &str = "MLST type*;size*;modify*;perm*;unique*;UNIX.mode*;UNIX.owner*;UNIX.group*;";

/// What kind of file something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Link,
    Pipe,
    Socket,
    CharacterDevice,
    BlockDevice,
}

impl Kind {
    /// Reads the kind from the mode word that the system reports.
    pub fn of(mode: u32) -> Kind {
        match mode & 0o170_000 {
            0o040_000 => Kind::Directory,
            0o120_000 => Kind::Link,
            0o010_000 => Kind::Pipe,
            0o140_000 => Kind::Socket,
            0o020_000 => Kind::CharacterDevice,
            0o060_000 => Kind::BlockDevice,
            _ => Kind::File,
        }
    }

    fn letter(self) -> u8 {
        match self {
            Kind::File => b'-',
            Kind::Directory => b'd',
            Kind::Link => b'l',
            Kind::Pipe => b'p',
            Kind::Socket => b's',
            Kind::CharacterDevice => b'c',
            Kind::BlockDevice => b'b',
        }
    }

    /// The value of the type fact (RFC 3659 §7.5.1); a link's target follows its value.
    fn fact(self) -> &'static [u8] {
        match self {
            Kind::File => b"file",
            Kind::Directory => b"dir",
            Kind::Link => b"OS.unix=slink:",
            Kind::Pipe => b"OS.unix=pipe",
            Kind::Socket => b"OS.unix=socket",
            Kind::CharacterDevice => b"OS.unix=chr",
            Kind::BlockDevice => b"OS.unix=blk",
        }
    }
}

/// The values that describe one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    pub kind: Kind,
    /// Permission, setuid, setgid and sticky bits.
    pub mode: u32,
    pub links: u64,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    /// Seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    pub device: u64,
    pub inode: u64,
    /// Major and minor number of what a device file stands for.
    pub node: (u64, u64),
}

impl Stat {
    /// Whether both describe the same file, not one that is like the other.
    pub fn is_same(&self, other: &Stat) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// What may be done with a file: the letters of the perm fact (RFC 3659 §7.5.5), of which each kind uses its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Perm {
    pub append: bool,
    pub create: bool,
    pub delete: bool,
    pub enter: bool,
    pub rename: bool,
    pub list: bool,
    pub make_dir: bool,
    pub purge: bool,
    pub retrieve: bool,
    pub store: bool,
}

impl Perm {
    fn write(self, out: &mut Vec<u8>) {
        let letters = [
            (self.append, b'a'),
            (self.create, b'c'),
            (self.delete, b'd'),
            (self.enter, b'e'),
            (self.rename, b'f'),
            (self.list, b'l'),
            (self.make_dir, b'm'),
            (self.purge, b'p'),
            (self.retrieve, b'r'),
            (self.store, b'w'),
        ];
        out.extend(letters.iter().filter(|(has, _)| *has).map(|(_, l)| *l));
    }
}

/// What an MLSx line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// The listed directory itself (`type=cdir`).
    Listed,
    /// The directory above the listed one (`type=pdir`).
    Above,
    /// Any entry but a link.
    Entry,
    /// A link, and where it points to.
    Link(&'a [u8]),
}

/// The part of a line that depends on mode and owner alone, as the last entry had it.
#[derive(Clone, Debug, Default)]
struct Shared {
    of: Option<(Kind, u32, u32, u32)>,
    text: Vec<u8>,
}

impl Shared {
    /// Empties the text and says so when it belongs to another mode or owner than those of `stat`.
    fn is_stale(&mut self, stat: &Stat) -> bool {
        let key = Some((stat.kind, stat.mode, stat.uid, stat.gid));
        if self.of == key {
            return false;
        }
        self.of = key;
        self.text.clear();
        true
    }
}

/// Writes the facts of files (RFC 3659 §7.2).
#[derive(Clone, Debug, Default)]
pub struct Facts {
    wanted: FactSet,
    calendar: Calendar,
    shared: Shared,
}

impl Facts {
    /// Writes the facts that the client wants, and no others.
    pub fn new(wanted: FactSet) -> Self {
        Facts {
            wanted,
            ..Facts::default()
        }
    }

    /// Appends the facts, a space and the name, without an end of line. `perm` is asked for only when mode or owner
    /// differ from those of the entry before, so it must depend on nothing else.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        subject: Subject<'_>,
        stat: &Stat,
        perm: impl FnOnce() -> Perm,
        name: &[u8],
    ) {
        let wanted = self.wanted;
        if wanted.has(FactSet::TYPE) {
            kind_of(out, subject, stat);
        }
        if wanted.has(FactSet::SIZE) && stat.kind == Kind::File {
            out.extend_from_slice(b"size=");
            decimal(out, stat.size);
            out.push(b';');
        }
        if wanted.has(FactSet::MODIFY) {
            out.extend_from_slice(b"modify=");
            self.calendar.time_value(out, stat.modified.0);
            out.push(b';');
        }
        if wanted.has(FactSet::UNIQUE) {
            out.extend_from_slice(b"unique=");
            hexadecimal(out, stat.device);
            out.push(b'-');
            hexadecimal(out, stat.inode);
            out.push(b';');
        }
        if self.shared.is_stale(stat) {
            ownership(&mut self.shared.text, wanted, stat, perm);
        }
        out.extend_from_slice(&self.shared.text);
        name_in_line(out, name);
    }
}

fn kind_of(out: &mut Vec<u8>, subject: Subject<'_>, stat: &Stat) {
    out.extend_from_slice(b"type=");
    match subject {
        Subject::Listed => out.extend_from_slice(b"cdir"),
        Subject::Above => out.extend_from_slice(b"pdir"),
        Subject::Entry => out.extend_from_slice(stat.kind.fact()),
        Subject::Link(target) => {
            out.extend_from_slice(stat.kind.fact());
            // A fact ends at its semicolon and all of them at the first space (RFC 3659 §7.2); a target has no way to
            // quote either.
            out.extend(target.iter().map(|&octet| match octet {
                0..=b' ' | b';' | 0x7f => b'?',
                other => other,
            }));
        }
    }
    out.push(b';');
}

/// The facts that depend on mode and owner alone, and the space that ends all facts.
fn ownership(text: &mut Vec<u8>, wanted: FactSet, stat: &Stat, perm: impl FnOnce() -> Perm) {
    if wanted.has(FactSet::PERM) {
        text.extend_from_slice(b"perm=");
        perm().write(text);
        text.push(b';');
    }
    if wanted.has(FactSet::MODE) {
        text.extend_from_slice(b"UNIX.mode=");
        for shift in [9, 6, 3, 0] {
            text.push(OCTAL[(stat.mode >> shift & 7) as usize]);
        }
        text.push(b';');
    }
    if wanted.has(FactSet::OWNER) {
        text.extend_from_slice(b"UNIX.owner=");
        decimal(text, stat.uid.into());
        text.push(b';');
    }
    if wanted.has(FactSet::GROUP) {
        text.extend_from_slice(b"UNIX.group=");
        decimal(text, stat.gid.into());
        text.push(b';');
    }
    text.push(b' ');
}

/// Writes the lines of LIST in the form of `ls -l`, as they look at one moment.
#[derive(Clone, Debug)]
pub struct LongLines {
    now: i64,
    calendar: Calendar,
    /// Type and permissions, then from `owners` on the columns of owner and group.
    shared: Shared,
    owners: usize,
}

impl LongLines {
    /// Dates are shown as they look at `now`, in seconds since 1970.
    pub fn new(now: i64) -> Self {
        LongLines {
            now,
            calendar: Calendar::default(),
            shared: Shared::default(),
            owners: 0,
        }
    }

    /// Appends all but the name, ending in a space. `owner` and `group` append their names; they are asked only when
    /// mode or owner differ from those of the entry before.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        stat: &Stat,
        owner: impl FnOnce(&mut Vec<u8>),
        group: impl FnOnce(&mut Vec<u8>),
    ) {
        if self.shared.is_stale(stat) {
            let text = &mut self.shared.text;
            permissions(text, stat);
            text.push(b' ');
            self.owners = text.len();
            column(text, owner);
            column(text, group);
            text.push(b' ');
        }
        let (permissions, owners) = self.shared.text.split_at(self.owners);
        out.extend_from_slice(permissions);
        right_aligned(out, stat.links, 4);
        out.extend_from_slice(owners);
        match stat.kind {
            Kind::CharacterDevice | Kind::BlockDevice => {
                right_aligned(out, stat.node.0, 3);
                out.extend_from_slice(b", ");
                right_aligned(out, stat.node.1, 3);
            }
            Kind::File | Kind::Directory | Kind::Link | Kind::Pipe | Kind::Socket => {
                right_aligned(out, stat.size, 8);
            }
        }
        out.push(b' ');
        self.calendar.list_date(out, stat.modified.0, self.now);
        out.push(b' ');
    }
}

/// Appends a time value, `YYYYMMDDhhmmss` (RFC 3659 §2.3).
pub fn time_value(out: &mut Vec<u8>, seconds: i64) {
    Calendar::default().time_value(out, seconds);
}

/// Appends a name as it may stand in a line.
pub fn name_in_line(out: &mut Vec<u8>, name: &[u8]) {
    // SECURITY: a name that ended its line could show the client files that are not there.
    if memchr::memchr2(b'\r', b'\n', name).is_none() {
        out.extend_from_slice(name);
    } else {
        out.extend(name.iter().map(|&byte| match byte {
            b'\r' | b'\n' => b'?',
            other => other,
        }));
    }
}

/// Appends `drwxr-xr-x` and the like; setuid, setgid and sticky take the place of the `x` as `ls` shows them.
fn permissions(out: &mut Vec<u8>, stat: &Stat) {
    out.push(stat.kind.letter());
    let classes = [
        (6, 0o4000, b"xsS"),
        (3, 0o2000, b"xsS"),
        (0, 0o1000, b"xtT"),
    ];
    for (shift, special, letters) in classes {
        let bits = stat.mode >> shift;
        out.push(if bits & 4 != 0 { b'r' } else { b'-' });
        out.push(if bits & 2 != 0 { b'w' } else { b'-' });
        out.push(match (bits & 1 != 0, stat.mode & special != 0) {
            (true, false) => letters[0],
            (true, true) => letters[1],
            (false, true) => letters[2],
            (false, false) => b'-',
        });
    }
}

/// Appends a space and what `write` writes, filled up to eight columns.
fn column(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b' ');
    let start = out.len();
    write(out);
    while out.len() < start + 8 {
        out.push(b' ');
    }
}

const OCTAL: &[u8; 8] = b"01234567";
const HEXADECIMAL: &[u8; 16] = b"0123456789abcdef";

/// 00 to 99 in two octets each, so that a number takes one division for two digits.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut n = 0;
    let (mut tens, mut ones) = (b'0', b'0');
    while n < 100 {
        pairs[n] = [tens, ones];
        ones += 1;
        if ones > b'9' {
            ones = b'0';
            tens += 1;
        }
        n += 1;
    }
    pairs
};

/// The last two decimal digits of a number.
fn two_digits(number: u32) -> [u8; 2] {
    PAIRS[(number % 100) as usize]
}

/// The digits of a number at the end of the buffer, and where they begin.
fn digits(mut number: u64) -> ([u8; 20], usize) {
    let mut buffer = [b' '; 20];
    let mut start = buffer.len();
    while number >= 10 {
        start -= 2;
        buffer[start..start + 2].copy_from_slice(&PAIRS[(number % 100) as usize]);
        number /= 100;
    }
    // What is left is one leading digit, or nothing but the zero that a leading pair may have.
    if number > 0 || start == buffer.len() {
        start -= 1;
        buffer[start] = PAIRS[(number % 10) as usize][1];
    }
    (buffer, start)
}

/// Appends a number in decimal.
pub fn decimal(out: &mut Vec<u8>, number: u64) {
    let (buffer, start) = digits(number);
    out.extend_from_slice(&buffer[start..]);
}

/// Appends a number in decimal, filled up with spaces on its left.
fn right_aligned(out: &mut Vec<u8>, number: u64, width: usize) {
    let (buffer, start) = digits(number);
    out.extend_from_slice(&buffer[start.min(buffer.len() - width)..]);
}

/// Appends a number in lower-case hexadecimal.
fn hexadecimal(out: &mut Vec<u8>, number: u64) {
    let mut nibbles = (67 - (number | 1).leading_zeros()) / 4;
    while nibbles > 0 {
        nibbles -= 1;
        out.push(HEXADECIMAL[(number >> (nibbles * 4) & 15) as usize]);
    }
}

#[cfg(test)]
mod tests;
