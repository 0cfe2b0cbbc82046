//! Which facts a client wants to see (RFC 3659 §7.9). Pure: no I/O.

/// All facts, in the order in which they are sent; their place is their bit in a [`FactSet`].
const NAMES: [&str; 8] = [
    "type",
    "size",
    "modify",
    "perm",
    "unique",
    "UNIX.mode",
    "UNIX.owner",
    "UNIX.group",
];

/// A choice of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FactSet(u8);

impl Default for FactSet {
    /// All of them.
    fn default() -> Self {
        FactSet::ALL
    }
}

impl FactSet {
    pub const ALL: FactSet = FactSet(u8::MAX);
    pub const TYPE: FactSet = FactSet(1);
    pub const SIZE: FactSet = FactSet(1 << 1);
    pub const MODIFY: FactSet = FactSet(1 << 2);
    pub const PERM: FactSet = FactSet(1 << 3);
    pub const UNIQUE: FactSet = FactSet(1 << 4);
    pub const MODE: FactSet = FactSet(1 << 5);
    pub const OWNER: FactSet = FactSet(1 << 6);
    pub const GROUP: FactSet = FactSet(1 << 7);

    /// Reads the argument of OPTS MLST, `type;size;`, in any case. Facts that are not known are not sent, as the RFC says.
    pub fn parse(list: &[u8]) -> FactSet {
        let wanted = list.split(|&octet| octet == b';').map(<[u8]>::trim_ascii);
        wanted.fold(FactSet(0), |set, word| {
            let bit = NAMES
                .iter()
                .position(|name| name.as_bytes().eq_ignore_ascii_case(word));
            FactSet(set.0 | bit.map_or(0, |bit| 1 << bit))
        })
    }

    pub const fn has(self, fact: FactSet) -> bool {
        self.0 & fact.0 != 0
    }

    /// This choice without some facts.
    pub const fn without(self, facts: FactSet) -> FactSet {
        FactSet(self.0 & !facts.0)
    }

    pub fn bits(self) -> u8 {
        self.0
    }

    pub fn from_bits(bits: u8) -> FactSet {
        FactSet(bits)
    }

    /// The facts that are on, as the reply to OPTS MLST has them.
    pub fn list(self) -> String {
        let on = |(bit, _): &(usize, &&str)| self.0 & 1 << bit != 0;
        let names = NAMES.iter().enumerate().filter(on);
        names.map(|(_, name)| format!("{name};")).collect()
    }

    /// The line in FEAT's reply: all facts, a star behind those that are on (RFC 3659 §7.8).
    pub fn feature(self) -> String {
        let facts = NAMES.iter().enumerate().map(|(bit, name)| {
            let star = if self.0 & 1 << bit != 0 { "*" } else { "" };
            format!("{name}{star};")
        });
        format!("MLST {}", facts.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_in_any_case_and_told_in_our_order() {
        let set = FactSet::parse(b"SIZE;unix.MODE;nonsense;type;");
        assert_eq!(set.list(), "type;size;UNIX.mode;");
        assert!(set.has(FactSet::TYPE) && set.has(FactSet::MODE) && !set.has(FactSet::PERM));
        assert_eq!(FactSet::parse(b"").list(), "");
        assert_eq!(
            set.feature(),
            "MLST type*;size*;modify;perm;unique;UNIX.mode*;UNIX.owner;UNIX.group;"
        );
    }

    #[test]
    fn every_name_has_its_bit() {
        assert_eq!(FactSet::parse(NAMES.join(";").as_bytes()), FactSet::ALL);
        for (name, bit) in [
            ("type", FactSet::TYPE),
            ("perm", FactSet::PERM),
            ("UNIX.group", FactSet::GROUP),
        ] {
            assert_eq!(FactSet::parse(name.as_bytes()), bit);
        }
    }

    #[test]
    fn the_feature_line_of_the_command_table_says_the_same() {
        assert_eq!(FactSet::ALL.feature(), super::super::FEAT);
    }
}
