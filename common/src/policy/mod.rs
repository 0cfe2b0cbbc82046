//! Decides whether an account may log in now, from here, under this name. Pure: whoever asks brings the time and the groups.

mod hours;
mod names;

pub use hours::Hours;
pub use names::{Names, Who};

use std::fmt;
use std::net::IpAddr;

use jiff::civil::{Date, DateTime};

use crate::settings::networks::Networks;

/// When and from where an account may be used. The default is always and from everywhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    pub enabled: bool,
    /// The last day on which a login succeeds.
    pub expires: Option<Date>,
    pub networks: Option<Networks>,
    pub hours: Option<Hours>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            enabled: true,
            expires: None,
            networks: None,
            hours: None,
        }
    }
}

/// Which rule an account may not log in by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    Disabled,
    Expired(Date),
    Network(IpAddr),
    Hours(DateTime),
    /// There is a rule about time, and no time to judge by.
    NoTime,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Denied::Disabled => f.write_str("Enabled: the account is disabled"),
            Denied::Expired(day) => write!(f, "Expires: the account's last day was {day}"),
            Denied::Network(address) => {
                write!(f, "AllowedNetworks: {address} is in none of them")
            }
            Denied::Hours(now) => write!(
                f,
                "LoginHours: it is {:?} {:02}:{:02}, which is outside of them",
                now.weekday(),
                now.hour(),
                now.minute()
            ),
            Denied::NoTime => {
                f.write_str("Expires or LoginHours: the time zone of this system cannot be read")
            }
        }
    }
}

impl Policy {
    /// Judges a login. The time is that of the server's own zone, and only asked for where a rule is about it.
    pub fn judge(
        &self,
        client: IpAddr,
        now: impl FnOnce() -> Option<DateTime>,
    ) -> Result<(), Denied> {
        if !self.enabled {
            return Err(Denied::Disabled);
        }
        if self
            .networks
            .as_ref()
            .is_some_and(|all| !all.contain(client))
        {
            return Err(Denied::Network(client));
        }
        if self.expires.is_none() && self.hours.is_none() {
            return Ok(());
        }
        let now = now().ok_or(Denied::NoTime)?;
        match (self.expires, &self.hours) {
            (Some(day), _) if now.date() > day => Err(Denied::Expired(day)),
            (_, Some(hours)) if !hours.contain(now) => Err(Denied::Hours(now)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn judge(policy: &Policy, client: &str, now: Option<DateTime>) -> Result<(), Denied> {
        policy.judge(client.parse().unwrap(), || now)
    }

    #[test]
    fn without_rules_nobody_asks_for_the_time() {
        let policy = Policy::default();
        assert_eq!(
            policy.judge([192, 0, 2, 1].into(), || unreachable!()),
            Ok(())
        );
    }

    #[test]
    fn the_last_day_is_a_day_of_use() {
        let policy = Policy {
            expires: Some(date(2027, 1, 31)),
            ..Policy::default()
        };
        let at = |day: Date, hour| judge(&policy, "::1", Some(day.at(hour, 59, 59, 0)));
        assert_eq!(at(date(2027, 1, 31), 23), Ok(()));
        assert_eq!(
            at(date(2027, 2, 1), 0),
            Err(Denied::Expired(date(2027, 1, 31)))
        );
        assert_eq!(judge(&policy, "::1", None), Err(Denied::NoTime));
    }

    #[test]
    fn a_disabled_account_is_disabled_whatever_else_it_may() {
        let policy = Policy {
            enabled: false,
            networks: Some(Networks::parse("::/0").unwrap()),
            ..Policy::default()
        };
        assert_eq!(judge(&policy, "::1", None), Err(Denied::Disabled));
    }

    #[test]
    fn only_the_networks_of_the_list_are_let_in() {
        let policy = Policy {
            networks: Some(Networks::parse("10.0.0.0/8, 2001:db8::/32").unwrap()),
            ..Policy::default()
        };
        assert_eq!(judge(&policy, "10.255.0.1", None), Ok(()));
        assert_eq!(judge(&policy, "2001:db8::1", None), Ok(()));
        for other in ["11.0.0.0", "::1", "127.0.0.1"] {
            let denied = Denied::Network(other.parse().unwrap());
            assert_eq!(judge(&policy, other, None), Err(denied));
        }
    }
}
