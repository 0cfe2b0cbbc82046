//! The way to a server of a pool: the first that answers of those that are for a user, in their order.

use std::collections::VecDeque;
use std::os::fd::AsFd;
use std::time::Instant;

use super::reach::{Reached, reach};
use super::{Answered, Dialer, not_dialled};
use crate::channel::{Answerer, DialAnswer, DialFault, Dialling, UserName};
use crate::listener::Status;
use crate::net::{self, Ends};
use crate::pool::State;

/// So many connections to servers a session may use up before its login. SECURITY: each name that a client tries is one.
const MOST_CONNECTIONS: u32 = 100;

/// Where a user may be led, as long as it is not logged in.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    user: Option<UserName>,
    /// Numbers in the pool's list, the best first.
    left: VecDeque<usize>,
    used: u32,
}

impl Dialer<'_> {
    /// Goes to the next server for a user, in the place of the one before.
    pub(super) fn dial_for(
        &mut self,
        channel: &Answerer<Dialling>,
        user: &UserName,
    ) -> Result<Answered, Status> {
        let pool = &self.rules.config.pool;
        if pool.is_empty() || self.logged_in {
            return Ok(not_dialled(DialFault::OutOfPlace, true));
        }
        self.reached = None;
        if self.candidates.user.as_ref() != Some(user) {
            self.candidates.user = Some(user.clone());
            self.candidates.left = self.in_service(pool.order(user.as_slice())).into();
        }
        while let Some(number) = self.candidates.left.pop_front() {
            self.candidates.used += 1;
            if self.candidates.used > MOST_CONNECTIONS {
                break;
            }
            if let Some(answered) = self.try_server(channel, number) {
                return Ok(answered);
            }
        }
        Ok(not_dialled(DialFault::Exhausted, true))
    }

    /// Of these servers those that get new sessions. The ones that are down come last: a check may be wrong, and who has no
    /// other server loses nothing by a try.
    fn in_service(&self, order: Vec<usize>) -> Vec<usize> {
        let Some(standing) = self.rules.standing else {
            return order;
        };
        let states: Vec<_> = order
            .into_iter()
            .map(|number| (number, standing.state(number)))
            .collect();
        let those = |wanted| {
            let like = states.iter().filter(move |(_, state)| *state == wanted);
            like.map(|(number, _)| *number)
        };
        those(State::Up).chain(those(State::Down)).collect()
    }

    /// Connects to one of them; the log tells why not.
    fn try_server(&mut self, channel: &Answerer<Dialling>, number: usize) -> Option<Answered> {
        let config = self.rules.config;
        let member = config.pool.servers.get(number)?;
        let deadline = Instant::now() + config.pool.patience;
        let watched = [channel.as_fd(), self.visit.lifeline.as_fd()];
        let why = match reach(
            &config.targets,
            &member.destination,
            None,
            deadline,
            &watched,
        ) {
            Ok(Reached { server, local, .. }) if self.is_ourselves(server, local) => {
                "it is this gateway itself".to_owned()
            }
            Ok(Reached {
                socket,
                server,
                local,
            }) if self.introduce(&socket).is_ok() => {
                self.reached = Some(Ends {
                    local,
                    peer: server,
                    passed: None,
                });
                self.visit.hooks.led_to(server);
                // It is counted there; where the listener is gone nobody asks.
                let _ = self.visit.reports.serves(&member.name);
                self.tell_of_server(member, &format!("connected to {member} ({server})"));
                let answer = DialAnswer::Serving {
                    server: net::canonical(server),
                    number: u16::try_from(number).ok()?,
                };
                return Some((answer, Some(socket)));
            }
            Ok(_) => "no header could be sent".to_owned(),
            Err(unreached) => unreached.text,
        };
        self.tell_of_miss(member, &why);
        None
    }
}
