//! Sets of verbs: what somebody may use. Pure: no I/O.

use super::{Group, SITE, TABLE, Verb};

/// A set of verbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerbSet(u128);

const _: () = assert!(TABLE.len() + SITE.len() <= 128);

impl VerbSet {
    pub const ALL: VerbSet = VerbSet(u128::MAX);
    pub const NONE: VerbSet = VerbSet(0);

    pub fn contains(self, verb: Verb) -> bool {
        self.0 & (1 << verb.0) != 0
    }
    pub fn insert(&mut self, verb: Verb) {
        self.0 |= 1 << verb.0;
    }
    pub fn remove(&mut self, verb: Verb) {
        self.0 &= !(1 << verb.0);
    }
    /// The same set with the verbs of TLS, which no list of permitted commands takes away.
    #[must_use]
    pub fn with_tls(self) -> VerbSet {
        VerbSet(self.0 | VerbSet::of_tls().0)
    }
    /// The same set without one verb.
    #[must_use]
    pub fn without(mut self, verb: &str) -> VerbSet {
        if let Some(verb) = Verb::find(verb) {
            self.remove(verb);
        }
        self
    }
    /// The same set where there is no TLS.
    #[must_use]
    pub fn without_tls(self) -> VerbSet {
        VerbSet(self.0 & !VerbSet::of_tls().0)
    }
    fn of_tls() -> VerbSet {
        let mut set = VerbSet::NONE;
        for verb in Verb::all().filter(|verb| verb.spec().tls) {
            set.insert(verb);
        }
        set
    }
    /// What remains of the set for those who gave no password.
    pub fn for_anonymous(self) -> VerbSet {
        let mut set = self;
        for verb in Verb::all().filter(|verb| !verb.spec().anonymous) {
            set.remove(verb);
        }
        set
    }
    /// Whether any verb of the group is in the set.
    pub fn permits_any(self, group: Group) -> bool {
        Verb::all().any(|v| v.spec().group == group && self.contains(v))
    }
    /// What is in this set, in the other one, or in both.
    #[must_use]
    pub fn with(self, other: VerbSet) -> VerbSet {
        VerbSet(self.0 | other.0)
    }
    pub fn bits(self) -> u128 {
        self.0
    }
    pub fn from_bits(bits: u128) -> VerbSet {
        VerbSet(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gave_no_password_gets_less() {
        let set = VerbSet::ALL.for_anonymous();
        let has = |name| set.contains(Verb::find(name).unwrap());
        assert!(has("RETR") && has("MLSD") && has("SITE HELP"));
        assert!(!set.permits_any(Group::Write) && !has("SITE WHO"));
        assert_eq!(VerbSet::NONE.for_anonymous(), VerbSet::NONE);
    }

    #[test]
    fn a_set_of_verbs_knows_its_members() {
        let mut set = VerbSet::NONE;
        let retr = Verb::find("RETR").unwrap();
        set.insert(retr);
        assert!(
            set.contains(retr) && set.permits_any(Group::Read) && !set.permits_any(Group::Write)
        );
        set.remove(retr);
        assert_eq!(set, VerbSet::NONE);
    }
}
