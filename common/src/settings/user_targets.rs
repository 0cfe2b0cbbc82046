//! Who may go where through a gateway: rules of users, each with a rule of [`Targets`]. They permit nothing that `Targets` does
//! not. Pure: no I/O.

use std::net::IpAddr;

use super::targets::Targets;
use super::value::{Wrong, shown, words};
use crate::pattern::Pattern;
use crate::proto::destination::{Destination, Host};

/// Rules; one that matches is enough, and where there are any, others go nowhere.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct UserTargets(Vec<(Pattern, Targets)>);

impl UserTargets {
    /// Reads a list of `USERS@TARGET`, which is not empty; names of users may hold an `@` themselves.
    pub fn parse(list: &str) -> Result<UserTargets, Wrong> {
        let rules: Vec<_> = words(list).map(rule).collect::<Result<_, _>>()?;
        if rules.is_empty() {
            return Err(Wrong::Not(
                "a list such as alice@ftp.example.org,*-staff@192.0.2.0/24:21-2199".to_owned(),
            ));
        }
        Ok(UserTargets(rules))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Has another port be the one of rules that name none.
    pub(super) fn set_usual_port(&mut self, port: u16) {
        for (_, targets) in &mut self.0 {
            targets.set_usual_port(port);
        }
    }

    /// Whether somebody may go to this server, so far as is known without its addresses.
    pub(super) fn name_somebody_for(&self, server: &Destination) -> bool {
        let mut rules = self.0.iter();
        self.is_empty() || rules.any(|(_, to)| to.may_permit(&server.host, server.port))
    }

    /// Whether there may be an address of the host that the user may go to.
    pub fn may_permit(&self, user: &[u8], host: &Host, port: u16) -> bool {
        self.is_empty() || (self.of(user)).any(|targets| targets.may_permit(host, port))
    }

    /// Whether the user may go to this address of the host.
    pub fn permit(&self, user: &[u8], host: &Host, address: IpAddr, port: u16) -> bool {
        let address = address.to_canonical();
        self.is_empty() || (self.of(user)).any(|targets| targets.name(host, address, port))
    }

    fn of(&self, user: &[u8]) -> impl Iterator<Item = &Targets> {
        let rules = self.0.iter().filter(|(users, _)| users.matches(user));
        rules.map(|(_, targets)| targets)
    }
}

fn rule(word: &str) -> Result<(Pattern, Targets), Wrong> {
    let wrong = || Wrong::Because(format!("\"{}\" is not USERS@TARGET", shown(word)));
    let (users, target) = word.rsplit_once('@').ok_or_else(wrong)?;
    if users.is_empty() {
        return Err(wrong());
    }
    let users = Pattern::new(users.as_bytes()).map_err(|_| wrong())?;
    Ok((users, Targets::parse(target)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_goes_where_a_rule_says_and_others_nowhere() {
        let list =
            "alice@ftp.example.org,*-staff@192.0.2.0/24:21-2199,bob@work@b.example=10.0.0.0/8";
        let rules = UserTargets::parse(list).unwrap();
        let may = |user: &str, host: &str, address: &str, port| {
            let host = Host::parse(host).unwrap();
            let permitted = rules.permit(user.as_bytes(), &host, address.parse().unwrap(), port);
            assert!(!permitted || rules.may_permit(user.as_bytes(), &host, port));
            permitted
        };
        assert!(may("alice", "ftp.example.org", "203.0.113.1", 21));
        assert!(!may("alice", "ftp.example.org", "203.0.113.1", 22));
        assert!(!may("mallory", "ftp.example.org", "203.0.113.1", 21));
        assert!(may("x-staff", "any.example", "192.0.2.9", 2121));
        assert!(!may("x-staff", "any.example", "192.0.3.9", 2121));
        assert!(may("bob@work", "b.example", "10.1.1.1", 21));
        assert!(!may("bob", "b.example", "10.1.1.1", 21));
        let none = UserTargets::default();
        assert!(none.may_permit(b"anybody", &Host::parse("a.example").unwrap(), 21));
    }

    #[test]
    fn what_is_no_rule_is_said_in_words() {
        for list in ["", "alice", "@ftp.example.org", "alice@", "alice@1.2.3"] {
            let wrong = UserTargets::parse(list).unwrap_err();
            assert!(!wrong.sentence(list).is_empty(), "{list}");
        }
    }
}
