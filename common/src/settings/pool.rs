//! The servers that a gateway stands in front of, and which of them a user is led to. Pure: no I/O.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::nearest::nearest;
use super::user_servers::UserServers;
use super::value::{Wrong, shown, words};
use crate::proto::destination::{Destination, Host, LONGEST_HOST};

/// So many servers there may be.
pub const MOST_SERVERS: usize = 64;
/// The longest name of a server, in octets: some are called as they are reached, by a name of DNS and a port.
pub const LONGEST_NAME: usize = LONGEST_HOST + 6;
/// The longest that is given, in octets.
const LONGEST_GIVEN: usize = 64;
const MOST_WEIGHT: u32 = 100;

/// The pool; without [`servers`](Self::servers) there is none.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    pub servers: Vec<PoolServer>,
    /// The file that says who is led where.
    pub user_file: Option<PathBuf>,
    /// What that says.
    pub users: UserServers,
    /// How long a server may take to be reached and to greet in a login, and how long a check may take.
    pub patience: Duration,
    /// How often each server is looked at; zero is never.
    pub interval: Duration,
    /// So many checks in a row that fail, and a server is down; so many that do not, and it is up again.
    pub down_after: u32,
    pub up_after: u32,
    /// The file with the login that a check tries.
    pub login: Option<PathBuf>,
    /// Those that get no new sessions, by name.
    pub draining: Vec<String>,
}

impl Default for Pool {
    fn default() -> Self {
        Pool {
            servers: Vec::new(),
            user_file: None,
            users: UserServers::default(),
            patience: Duration::from_secs(5),
            interval: Duration::from_secs(10),
            down_after: 3,
            up_after: 2,
            login: None,
            draining: Vec::new(),
        }
    }
}

/// One server of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolServer {
    pub name: String,
    pub destination: Destination,
    /// It gets so many times the users that one of weight 1 gets.
    pub weight: u32,
}

impl fmt::Display for PoolServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PoolServer {
    /// Whether its address has to be looked up.
    pub fn has_name(&self) -> bool {
        matches!(self.destination.host, Host::Name(_))
    }

    /// Reads `[NAME=]HOST[:PORT][*WEIGHT]`. Without a name it is called as it is reached.
    fn parse(word: &str) -> Result<PoolServer, Wrong> {
        let wrong = |why: &str| Wrong::Because(format!("\"{}\" {why}", shown(word)));
        let (place, weight) = match word.rsplit_once('*') {
            Some((place, weight)) => (place, super::value::digits(weight)),
            None => (word, Some(1)),
        };
        let weight = weight.filter(|weight| (1..=MOST_WEIGHT).contains(weight));
        let weight = weight.ok_or_else(|| wrong("does not end with a weight from *1 to *100"))?;
        let (name, place) = match place.split_once('=') {
            Some((name, place)) => (Some(name), place),
            None => (None, place),
        };
        let destination = Destination::parse(place.as_bytes())
            .map_err(|_| wrong("is no server, such as one=192.0.2.1:21 or ftp.example.org:2121"))?;
        let name = match name {
            None => destination.to_string(),
            Some(name) if is_name(name) => name.to_owned(),
            Some(_) => {
                let why = "has no name of at most 64 letters, digits, dots, dashes and underscores";
                return Err(wrong(why));
            }
        };
        Ok(PoolServer {
            name,
            destination,
            weight,
        })
    }
}

fn is_name(name: &str) -> bool {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_');
    (1..=LONGEST_GIVEN).contains(&name.len()) && name.bytes().all(fits)
}

/// Reads the list of servers.
pub(super) fn servers(list: &str) -> Result<Vec<PoolServer>, Wrong> {
    let servers: Vec<PoolServer> = words(list)
        .map(PoolServer::parse)
        .collect::<Result<_, _>>()?;
    if servers.is_empty() {
        let example = "a list such as one=192.0.2.1:21,two=192.0.2.2:21*3";
        return Err(Wrong::Not(example.to_owned()));
    }
    if servers.len() > MOST_SERVERS {
        let text = format!("it names more than {MOST_SERVERS} servers");
        return Err(Wrong::Because(text));
    }
    for (index, server) in servers.iter().enumerate() {
        let before = &servers[..index];
        if before.iter().any(|other| other.name == server.name) {
            let text = format!("two servers are called {server}: give each a name, as in one=HOST");
            return Err(Wrong::Because(text));
        }
    }
    Ok(servers)
}

impl Pool {
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// The place of a server in the list.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.servers.iter().position(|server| server.name == name)
    }

    /// The addresses and ports of those that are named by them.
    pub fn addresses(&self) -> impl Iterator<Item = (IpAddr, u16)> {
        self.servers.iter().filter_map(|server| {
            let Destination { host, port, .. } = &server.destination;
            match host {
                Host::Address(address) => Some((*address, *port)),
                Host::Name(_) => None,
            }
        })
    }

    fn settle_draining(&self) -> Result<(), (&'static str, String)> {
        let Some(stranger) = self.draining.iter().find(|name| self.find(name).is_none()) else {
            return Ok(());
        };
        let near = nearest(
            stranger,
            self.servers.iter().map(|server| server.name.as_str()),
        );
        let hint = near.map(|name| format!(", did you mean \"{name}\"?"));
        let text = format!(
            "Draining names \"{}\", which Servers does not{}",
            shown(stranger),
            hint.unwrap_or_default()
        );
        Err(("Draining", text))
    }

    /// The servers for a user, the best first: those that the file says in its order, or else all.
    pub fn order(&self, user: &[u8]) -> Vec<usize> {
        match self.users.of(user) {
            Some(servers) => servers.to_vec(),
            None => self.ranked(user),
        }
    }

    /// All servers in the order of what a hash says for this user (rendezvous hashing): whichever of them is not there, only
    /// its own users go elsewhere.
    fn ranked(&self, user: &[u8]) -> Vec<usize> {
        let mut ranked: Vec<_> = self.servers.iter().enumerate().collect();
        ranked
            .sort_by_cached_key(|(index, server)| (std::cmp::Reverse(score(server, user)), *index));
        ranked.into_iter().map(|(index, _)| index).collect()
    }

    /// Finishes it once all sources have been applied: `Err` names the key to correct, and says why.
    pub(super) fn settle(&self) -> Result<(), (&'static str, String)> {
        let default = Pool::default();
        let unused = [
            ("UserServers", self.user_file.is_some()),
            ("ServerPatience", self.patience != default.patience),
            ("HealthInterval", self.interval != default.interval),
            ("HealthDown", self.down_after != default.down_after),
            ("HealthUp", self.up_after != default.up_after),
            ("HealthLogin", self.login.is_some()),
            ("Draining", !self.draining.is_empty()),
        ];
        let unused = unused.into_iter().find(|(_, set)| *set && self.is_empty());
        match unused {
            Some((key, _)) => {
                let text = format!(
                    "{key} is for a pool: it needs Servers, such as -servers one=192.0.2.1,two=192.0.2.2"
                );
                Err((key, text))
            }
            None if self.interval.is_zero() && self.login.is_some() => {
                let text = "HealthLogin needs a HealthInterval: with 0 nobody looks at the servers";
                Err(("HealthLogin", text.to_owned()))
            }
            None => self.settle_draining(),
        }
    }
}

/// What a hash says of a server and a user. One of weight 3 draws three times.
fn score(server: &PoolServer, user: &[u8]) -> u64 {
    let draw = |number: u32| {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&number.to_be_bytes());
        hasher.update(server.name.as_bytes());
        // No name of a server holds it.
        hasher.update(b"\0");
        hasher.update(user);
        let hash = hasher.finalize();
        let first = hash.as_bytes().first_chunk::<8>();
        first.map_or(0, |octets| u64::from_be_bytes(*octets))
    };
    (0..server.weight).map(draw).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(list: &str) -> Pool {
        Pool {
            servers: servers(list).unwrap(),
            ..Pool::default()
        }
    }

    fn firsts(pool: &Pool) -> Vec<String> {
        let user = |number| pool.order(format!("user{number}").as_bytes())[0];
        (0..3000)
            .map(|number| pool.servers[user(number)].name.clone())
            .collect()
    }

    #[test]
    fn a_list_names_servers_with_ports_and_weights() {
        let pool = pool("one=192.0.2.1:2121*3, ftp.example.org [2001:db8::1]:21");
        let told: Vec<String> = pool
            .servers
            .iter()
            .map(|server| format!("{server} {} {}", server.destination, server.weight))
            .collect();
        assert_eq!(
            told,
            [
                "one 192.0.2.1:2121 3",
                "ftp.example.org:21 ftp.example.org:21 1",
                "[2001:db8::1]:21 [2001:db8::1]:21 1"
            ]
        );
        assert_eq!(pool.find("one"), Some(0));
        assert_eq!(pool.addresses().count(), 2);
        for wrong in [
            "",
            "one=",
            "=192.0.2.1",
            "o ne=192.0.2.1 two=x y=",
            "a/b=192.0.2.1",
            "one=0x7f.1",
            "one=192.0.2.1*0",
            "one=192.0.2.1*101",
            "one=192.0.2.1*x",
            "one=192.0.2.1,one=192.0.2.2",
        ] {
            assert!(servers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn each_server_gets_its_share_by_weight() {
        let all = firsts(&pool("one=192.0.2.1,two=192.0.2.2*2"));
        let share = all.iter().filter(|name| *name == "two").count();
        assert!((1850..2150).contains(&share), "{share}");
    }

    #[test]
    fn only_the_users_of_a_server_that_is_gone_go_elsewhere() {
        let before = firsts(&pool("one=192.0.2.1,two=192.0.2.2,three=192.0.2.3*2"));
        // In another order, and at another address: it is the names that count.
        let after = firsts(&pool("three=192.0.2.9*2,one=192.0.2.1"));
        for (before, after) in before.iter().zip(&after) {
            assert!(before == after || before == "two");
        }
    }

    #[test]
    fn the_next_server_is_the_one_that_would_be_first_without_the_first() {
        let whole = pool("one=192.0.2.1,two=192.0.2.2,three=192.0.2.3");
        for number in 0..100 {
            let user = format!("user{number}");
            let order = whole.order(user.as_bytes());
            let mut less = whole.clone();
            less.servers.remove(order[0]);
            let next = less.order(user.as_bytes())[0];
            assert_eq!(less.servers[next].name, whole.servers[order[1]].name);
        }
    }
}
