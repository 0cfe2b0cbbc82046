//! What addresses owe for what their sessions did: it adds up and is forgiven with time. An address that owes too much is
//! refused, the longer the more often that happens. Pure: the time is the caller's.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use crate::settings::Limits;

/// So many addresses are remembered; who owes least is forgotten first.
const MOST: usize = 1 << 14;
/// After a ban, an address that does nothing wrong for so many times its length is as any other again.
const MEMORY: u32 = 8;

/// Whom the listener takes for one client: an IPv4 address, or the /64 of an IPv6 address, which a single host can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Source(IpAddr);

impl Source {
    pub(super) fn of(address: IpAddr) -> Source {
        Source(match address.to_canonical() {
            IpAddr::V6(address) => {
                let network = u128::from(address) >> 64 << 64;
                IpAddr::V6(Ipv6Addr::from(network))
            }
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// Addresses that are likely to have one owner: a /24 of IPv4, a /48 of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network(IpAddr);

impl Source {
    pub(super) fn network(self) -> Network {
        Network(match self.0 {
            IpAddr::V4(address) => Ipv4Addr::from(u32::from(address) >> 8 << 8).into(),
            IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 80 << 80).into(),
        })
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(address) => write!(f, "{address}"),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

/// What a session did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offence {
    WrongPassword,
    /// No login in all the time that there is for one.
    NoLogin,
    /// Another protocol, or garbage.
    NotFtp,
    /// A crash, or a half that broke the rules between the two: somebody tries to take one over.
    Attack,
}

impl Offence {
    /// In wrong passwords.
    fn weight(self) -> u32 {
        match self {
            Offence::WrongPassword => 1,
            Offence::NoLogin | Offence::NotFtp => 2,
            Offence::Attack => 20,
        }
    }
}

#[derive(Debug)]
struct Debt {
    /// When all is forgiven.
    until: Instant,
    /// Refused until that time.
    banned: bool,
    /// How often it was.
    bans: u32,
    /// When the bans are forgotten too.
    forgotten: Instant,
    /// Connections refused meanwhile.
    refused: u64,
}

/// The end of a ban.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Served {
    pub(super) source: Source,
    /// Connections that were refused.
    pub(super) refused: u64,
}

#[derive(Debug)]
pub(super) struct Penalties {
    /// For a wrong password.
    unit: Duration,
    /// Who owes so much is refused.
    ban: Duration,
    longest: Duration,
    debts: HashMap<Source, Debt>,
    /// Until when somebody in a network owes something.
    networks: HashMap<Network, Instant>,
    /// No ban ends before this.
    next: Option<Instant>,
}

impl Penalties {
    pub(super) fn new(limits: &Limits) -> Penalties {
        Penalties {
            unit: limits.penalty,
            ban: limits.ban,
            longest: limits.longest_ban.max(limits.ban),
            debts: HashMap::new(),
            networks: HashMap::new(),
            next: None,
        }
    }

    /// Counts by other limits from now on.
    pub(super) fn set_limits(&mut self, limits: &Limits) {
        self.unit = limits.penalty;
        self.ban = limits.ban;
        self.longest = limits.longest_ban.max(limits.ban);
    }

    /// Notes an offence; `Some` is how long the source is refused from now on. If it had to wait to be committed, that time pays
    /// nothing, up to what a wrong password costs, or the many who wait for each other would never owe much.
    pub(super) fn add_after(
        &mut self,
        waited: Duration,
        source: Source,
        offence: Offence,
        now: Instant,
    ) -> Option<Duration> {
        if self.unit.is_zero() {
            return None;
        }
        if self.debts.len() >= MOST && !self.debts.contains_key(&source) {
            self.forget_the_least(now);
        }
        let debt = self.debts.entry(source).or_insert(Debt {
            until: now,
            banned: false,
            bans: 0,
            forgotten: now,
            refused: 0,
        });
        if debt.forgotten <= now && !debt.banned {
            debt.bans = 0;
        }
        let left = debt.until.saturating_duration_since(now);
        let owed = left + waited.min(self.unit) + self.unit * offence.weight();
        let owed = owed.min(self.longest);
        debt.until = now + owed;
        if debt.banned || owed < self.ban {
            debt.forgotten = debt.forgotten.max(debt.until);
            let until = debt.until;
            self.note(source.network(), until, now);
            return None;
        }
        let times = 1u32.checked_shl(debt.bans).unwrap_or(u32::MAX);
        let length = owed.saturating_mul(times).min(self.longest);
        debt.bans += 1;
        debt.banned = true;
        debt.refused = 0;
        debt.until = now + length;
        debt.forgotten = debt.until + length.saturating_mul(MEMORY);
        let until = debt.until;
        self.next = Some(self.next.map_or(until, |next| next.min(until)));
        self.note(source.network(), until, now);
        Some(length)
    }

    /// Notes that somebody in a network owes something. Where there are too many of them, those that owe nothing go; if none
    /// does, it is not noted.
    fn note(&mut self, network: Network, until: Instant, now: Instant) {
        if self.networks.len() >= MOST && !self.networks.contains_key(&network) {
            self.networks.retain(|_, until| *until > now);
        }
        if self.networks.len() < MOST {
            let noted = self.networks.entry(network).or_insert(until);
            *noted = until.max(*noted);
        }
    }

    /// How long somebody in a network owes something, from now on.
    pub(super) fn owed_in(&self, network: Network, now: Instant) -> Duration {
        let until = self.networks.get(&network);
        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }

    /// Whether a source that wants to connect is refused.
    pub(super) fn refuse(&mut self, source: Source, now: Instant) -> bool {
        match self.debts.get_mut(&source) {
            Some(debt) if debt.banned && debt.until > now => {
                debt.refused += 1;
                true
            }
            _ => false,
        }
    }

    /// What a source owes now.
    pub(super) fn owed(&self, source: Source, now: Instant) -> Duration {
        let debt = self.debts.get(&source);
        debt.map_or(Duration::ZERO, |debt| {
            debt.until.saturating_duration_since(now)
        })
    }

    /// When [`ended`](Self::ended) has something to tell.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.next
    }

    /// The bans that have ended.
    pub(super) fn ended(&mut self, now: Instant) -> Vec<Served> {
        if self.next.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let mut served = Vec::new();
        for (&source, debt) in &mut self.debts {
            if debt.banned && debt.until <= now {
                debt.banned = false;
                let refused = debt.refused;
                served.push(Served { source, refused });
            }
        }
        self.debts
            .retain(|_, debt| debt.banned || debt.forgotten > now);
        self.networks.retain(|_, until| *until > now);
        self.next = self
            .debts
            .values()
            .filter(|debt| debt.banned)
            .map(|debt| debt.until)
            .min();
        served
    }

    /// Makes room: first what is forgiven, then an eighth of the rest. Who is banned stays longest.
    fn forget_the_least(&mut self, now: Instant) {
        self.debts
            .retain(|_, debt| debt.banned || debt.forgotten > now);
        if self.debts.len() < MOST {
            return;
        }
        let mut order: Vec<_> = self
            .debts
            .iter()
            .map(|(&source, debt)| (debt.banned, debt.until, source))
            .collect();
        let eighth = MOST / 8;
        order.select_nth_unstable_by_key(eighth, |&(banned, until, _)| (banned, until));
        for (_, _, source) in &order[..eighth] {
            self.debts.remove(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    impl Penalties {
        fn add(&mut self, source: Source, offence: Offence, now: Instant) -> Option<Duration> {
            self.add_after(Duration::ZERO, source, offence, now)
        }
    }

    fn penalties() -> Penalties {
        Penalties::new(&Limits {
            penalty: 2 * SECOND,
            ban: 15 * SECOND,
            longest_ban: 100 * SECOND,
            ..Limits::default()
        })
    }

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn a_network_of_one_host_is_one_source() {
        assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:0:0:2"));
        assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("2001:db8::1").to_string(), "2001:db8::/64");
    }

    #[test]
    fn neighbours_of_guessers_are_known() {
        let (mut all, start) = (penalties(), Instant::now());
        all.add(source("192.0.2.1"), Offence::WrongPassword, start);
        all.add(source("2001:db8::1"), Offence::Attack, start);
        let owed = |of: &str, now| all.owed_in(source(of).network(), now);
        assert_eq!(owed("192.0.2.200", start), 2 * SECOND);
        assert_eq!(owed("192.0.2.200", start + 2 * SECOND), Duration::ZERO);
        assert_eq!(owed("192.0.3.1", start), Duration::ZERO);
        assert_eq!(owed("2001:db8:0:9::1", start), 40 * SECOND);
        assert_eq!(owed("2001:db8:1::1", start), Duration::ZERO);
        assert_eq!(all.owed(source("192.0.2.200"), start), Duration::ZERO);
    }

    #[test]
    fn wrong_passwords_add_up_to_a_ban_that_ends() {
        let (mut all, start) = (penalties(), Instant::now());
        let guesser = source("192.0.2.1");
        for _ in 0..7 {
            assert_eq!(all.add(guesser, Offence::WrongPassword, start), None);
        }
        assert!(!all.refuse(guesser, start));
        assert_eq!(all.owed(guesser, start), 14 * SECOND);
        let length = all.add(guesser, Offence::WrongPassword, start);
        assert_eq!(length, Some(16 * SECOND));
        assert!(all.refuse(guesser, start) && !all.refuse(source("192.0.2.2"), start));
        assert_eq!(all.ended(start), []);
        let end = all.next_end().unwrap();
        assert_eq!(end, start + 16 * SECOND);
        let (source, refused) = (guesser, 1);
        assert_eq!(all.ended(end), [Served { source, refused }]);
        assert!(!all.refuse(guesser, end));
        assert_eq!(all.next_end(), None);
    }

    #[test]
    fn who_waits_for_a_turn_pays_nothing_meanwhile() {
        let (mut all, mut now, guesser) = (penalties(), Instant::now(), source("192.0.2.1"));
        let mut guess = |all: &mut Penalties| {
            now += 2 * SECOND;
            let waited = if all.debts.is_empty() {
                Duration::ZERO
            } else {
                2 * SECOND
            };
            all.add_after(waited, guesser, Offence::WrongPassword, now)
        };
        for _ in 0..7 {
            assert_eq!(guess(&mut all), None);
        }
        assert_eq!(guess(&mut all), Some(16 * SECOND));
        // However long it was.
        let (long, now) = (1000 * SECOND, Instant::now());
        assert_eq!(
            all.add_after(long, source("::1"), Offence::WrongPassword, now),
            None
        );
        assert_eq!(all.owed(source("::1"), now), 4 * SECOND);
    }

    #[test]
    fn slow_mistakes_are_forgiven() {
        let (mut all, mut now) = (penalties(), Instant::now());
        for _ in 0..100 {
            assert_eq!(all.add(source("::1"), Offence::WrongPassword, now), None);
            now += 2 * SECOND;
        }
    }

    #[test]
    fn each_ban_is_longer_up_to_the_longest_and_good_conduct_ends_that() {
        let (mut all, mut now) = (penalties(), Instant::now());
        let attacker = source("192.0.2.1");
        let mut lengths = Vec::new();
        for _ in 0..4 {
            lengths.push(all.add(attacker, Offence::Attack, now).unwrap());
            now = all.next_end().unwrap();
            all.ended(now);
        }
        assert_eq!(
            lengths,
            [40 * SECOND, 80 * SECOND, 100 * SECOND, 100 * SECOND]
        );
        now += 900 * SECOND;
        assert_eq!(all.add(attacker, Offence::Attack, now), Some(40 * SECOND));
    }

    #[test]
    fn the_table_is_bounded_and_keeps_the_banned() {
        let (mut all, now) = (penalties(), Instant::now());
        let attacker = source("192.0.2.1");
        all.add(attacker, Offence::Attack, now).unwrap();
        for number in 0..50_000u32 {
            let source = Source::of(std::net::Ipv4Addr::from(number).into());
            all.add(source, Offence::WrongPassword, now);
            assert!(all.debts.len() <= MOST && all.networks.len() <= MOST);
        }
        assert!(all.refuse(attacker, now));
    }

    #[test]
    fn a_penalty_of_zero_is_none() {
        let mut all = Penalties::new(&Limits {
            penalty: Duration::ZERO,
            ..Limits::default()
        });
        let now = Instant::now();
        for _ in 0..1000 {
            assert_eq!(all.add(source("::1"), Offence::Attack, now), None);
        }
        assert!(!all.refuse(source("::1"), now));
    }
}
