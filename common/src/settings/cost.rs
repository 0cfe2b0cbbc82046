//! What an argon2id hash costs, as hashes write it: `m=32768,t=3,p=1`. Pure: no I/O.

use std::fmt;

use super::value::{Wrong, digits, shown};

/// The work of one argon2id hash. [`Cost::default`] is some 50 ms of one core of a server of 2020.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Cost {
    /// What a single login may cost at most, whether a setting asks for it or a stored hash does.
    pub const HIGHEST: Cost = Cost {
        memory: 256 * 1024,
        passes: 64,
        lanes: 8,
    };

    /// Reads all three numbers.
    pub fn parse(text: &str) -> Result<Cost, Wrong> {
        let mut parts = text.split(',').map(str::trim);
        let mut number = |name: &str| digits(parts.next()?.strip_prefix(name)?.strip_prefix('=')?);
        let cost = (number("m"), number("t"), number("p"));
        let (Some(memory), Some(passes), Some(lanes), None) =
            (cost.0, cost.1, cost.2, parts.next())
        else {
            return Err(Wrong::Not(format!("a cost such as {}", Cost::default())));
        };
        let cost = Cost {
            memory,
            passes,
            lanes,
        };
        if !cost.is_possible() || !cost.is_bearable() {
            return Err(Wrong::Because(format!(
                "\"{}\" is not between m=8,t=1,p=1 and {} (with less memory more passes), with 8 KiB for each lane",
                shown(text),
                Cost::HIGHEST
            )));
        }
        Ok(cost)
    }

    /// Whether memory, lanes and the work are not above [`Cost::HIGHEST`]'s: pure-pw(8) makes a thousand passes over 8 MiB on a fast machine.
    pub fn is_bearable(self) -> bool {
        let highest = Cost::HIGHEST;
        self.memory <= highest.memory
            && self.lanes <= highest.lanes
            && self.work() <= highest.work()
    }

    /// RFC 9106 §3.1 wants 8 KiB for each lane.
    fn is_possible(self) -> bool {
        self.passes >= 1 && self.lanes >= 1 && self.memory / 8 >= self.lanes
    }

    /// Blocks that are filled: what the time of a hash goes by.
    pub fn work(self) -> u64 {
        u64::from(self.memory) * u64::from(self.passes)
    }
}

impl Default for Cost {
    fn default() -> Self {
        Cost {
            memory: 32 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={},t={},p={}", self.memory, self.passes, self.lanes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_reads_back_as_it_is_written() {
        for text in [
            "m=8,t=1,p=1",
            "m=32768,t=3,p=1",
            "m=262144,t=64,p=8",
            "m=8192,t=1023,p=1",
        ] {
            assert_eq!(
                Cost::parse(text).map(|cost| cost.to_string()),
                Ok(text.to_owned())
            );
        }
    }

    #[test]
    fn what_is_no_cost_is_refused() {
        for text in [
            "",
            "m=8",
            "m=8,t=1",
            "t=1,m=8,p=1",
            "m=8,t=1,p=1,",
            "m=+8,t=1,p=1",
            "m=8,t=1,p=x",
            "8,1,1",
            "m=99999999999,t=1,p=1",
        ] {
            assert!(matches!(Cost::parse(text), Err(Wrong::Not(_))), "{text}");
        }
        for text in [
            "m=7,t=1,p=1",
            "m=15,t=1,p=2",
            "m=8,t=0,p=1",
            "m=8,t=1,p=0",
            "m=262145,t=1,p=1",
            "m=262144,t=65,p=1",
            "m=262144,t=1,p=9",
            "m=8192,t=2049,p=1",
        ] {
            assert!(
                matches!(Cost::parse(text), Err(Wrong::Because(_))),
                "{text}"
            );
        }
    }
}
