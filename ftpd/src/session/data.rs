//! The data connection that the next transfer will use.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use common::control::until;
use common::jail::Failure;
use common::net::is_private;
use common::proto::hostport::Family;
use common::pump::{
    Arrival, DataConnection, OpenError, Watch, accept, await_connect, take_arrival,
};
use nix::poll::{PollFd, PollFlags, poll};

use super::files::Denied;
use super::{End, Link, Stop, User, outcome};
use common::proto::reply::{Code, Reply};

/// How the next data connection comes about; a transfer takes it.
#[derive(Debug, Default)]
pub(crate) enum DataChannel {
    #[default]
    None,
    /// The client will come to this listener.
    Passive(Offer),
    /// The client waits at this address.
    Active(SocketAddr),
}

/// A passive port and its end, if no transfer comes before.
#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) listener: OwnedFd,
    told: SocketAddr,
    tells: Tells,
    pub(crate) until: Instant,
    early: Early,
    /// Somebody who came and may not.
    stranger: Option<IpAddr>,
}

/// Who has come to a passive port before a transfer needs it.
#[derive(Debug)]
enum Early {
    Awaited,
    Came(Arrival),
    /// The transfer will see.
    Later,
}

impl DataChannel {
    /// When a port that nobody uses is to be closed.
    pub(crate) fn expiry(&self) -> Option<Instant> {
        match self {
            DataChannel::Passive(offer) => Some(offer.until),
            DataChannel::None | DataChannel::Active(_) => None,
        }
    }

    /// A listener at which nobody who may has arrived yet.
    pub(crate) fn awaited(&self) -> Option<BorrowedFd<'_>> {
        match self {
            DataChannel::Passive(offer) if matches!(offer.early, Early::Awaited) => {
                Some(offer.listener.as_fd())
            }
            DataChannel::Passive(_) | DataChannel::None | DataChannel::Active(_) => None,
        }
    }
}

/// What of a passive port's address the client hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tells {
    /// PASV and LPSV.
    Address,
    /// EPSV: the client goes where its control connection goes.
    Port,
}

/// What the log says of a client that did not come to where it was told, with a likely reason.
fn unclaimed(offered: SocketAddr, tells: Tells, client: IpAddr) -> String {
    let (told, port) = (offered.ip(), offered.port());
    let reason = match tells {
        Tells::Address if told.is_loopback() && !client.is_loopback() => {
            format!("advertised {told} is the client's own machine: set PassiveAddress")
        }
        Tells::Address if is_private(told) && !is_private(client) => format!(
            "advertised {told} is private but the client {client} is public: set PassiveAddress"
        ),
        Tells::Address | Tells::Port => format!(
            "a firewall may keep {client} from port {port}: let it through, or set DataConnectionPortRange to ports that \
                 are"
        ),
    };
    format!("nobody came to the passive port {offered}; {reason}")
}

/// Gives a passive port back that the client has asked for and not used in time.
pub(crate) fn expire(link: &mut Link, user: &mut User) -> Result<(), End> {
    if let DataChannel::Passive(offer) = &user.data
        && Instant::now() >= offer.until
    {
        if matches!(offer.early, Early::Awaited) {
            let text = unclaimed(offer.told, offer.tells, link.ends.client());
            link.tell_of_stranger(&text);
        }
        user.data = DataChannel::None;
        return end(user);
    }
    Ok(())
}

/// There is no data connection any more: hooks hear of it before the client does.
pub(crate) fn end(user: &mut User) -> Result<(), End> {
    match user.account.tells_data {
        true => user.files.data_end(),
        false => Ok(()),
    }
}

/// A passive port on the client's behalf. While all of them are taken, another session may give one back any moment: that
/// is waited for, but not for long.
pub(crate) fn offer(
    link: &Link,
    user: &mut User,
    family: Family,
    tells: Tells,
) -> Result<SocketAddr, Stop> {
    // The former listener is closed first: its port may be the only one.
    user.data = DataChannel::None;
    let mut tries = 0;
    let (listener, told) = loop {
        match user.files.passive_listen(family)? {
            Ok(listening) => break listening,
            Err(Denied::Failed(Failure::Exhausted)) if tries < PORT_TRIES => {
                tries += 1;
                pause(link, user)?;
            }
            Err(denied) => return Err(outcome::data_setup(denied).into()),
        }
    };
    user.data = DataChannel::Passive(Offer {
        listener,
        told,
        tells,
        until: Instant::now() + user.account.passive_timeout,
        // Whom a front end passes on it says only when it is asked.
        early: match link.data_front_ends {
            None => Early::Awaited,
            Some(_) => Early::Later,
        },
        stranger: None,
    });
    Ok(told)
}

/// Waits a moment, unless the session is over.
fn pause(link: &Link, user: &User) -> Result<(), End> {
    let ends = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
    let mut ready = [
        PollFd::new(link.control.as_fd(), PollFlags::empty()),
        PollFd::new(user.files.as_fd(), PollFlags::empty()),
    ];
    // Woken too early, it asks too early: no harm.
    let _ = poll(&mut ready, until(Some(Instant::now() + PORT_PAUSE)));
    match ready.each_ref().map(ends) {
        [_, true] => Err(End::KeeperGone),
        [true, _] => Err(End::ControlLost),
        [false, false] => Ok(()),
    }
}

/// How often a free port is asked for again, and how long after each refusal.
const PORT_TRIES: u32 = 10;
const PORT_PAUSE: Duration = Duration::from_millis(50);

/// So many strangers are remembered while one data connection is waited for.
const MOST_STRANGERS: usize = 10;

/// Takes who has come to a passive port before the transfer does. Strangers are sent away: there is room for a few in front of
/// a port only, and they would keep the client out.
pub(crate) fn receive_early(link: &mut Link, user: &mut User) {
    let under_tls = link.binds_data(user.account.protection);
    let (client, peers) = (link.ends.client(), &user.account.passive_peers);
    let DataChannel::Passive(offer) = &mut user.data else {
        return;
    };
    let mut strangers = Strangers::default();
    let arrival = take_arrival(
        &offer.listener,
        |other| peers.admit(client, other, under_tls),
        |stranger| strangers.add(stranger),
    );
    match arrival {
        Ok(Some(arrival)) => offer.early = Early::Came(arrival),
        Ok(None) => {}
        Err(_) => offer.early = Early::Later,
    }
    offer.stranger = offer.stranger.or(strangers.first());
    strangers.tell(link);
}

/// Who came and may not.
#[derive(Default)]
struct Strangers(Vec<SocketAddr>);

impl Strangers {
    fn add(&mut self, stranger: SocketAddr) {
        if self.0.len() < MOST_STRANGERS {
            self.0.push(stranger);
        }
    }

    fn first(&self) -> Option<IpAddr> {
        self.0.first().map(SocketAddr::ip)
    }

    fn tell(self, link: &mut Link) {
        let client = link.ends.client();
        for stranger in self.0 {
            link.tell_of_stranger(&format!(
                "data connection from {stranger} dropped: it is not the client {client}, and PassivePeers does not let it in"
            ));
        }
    }
}

/// Opens the data connection. Behind ABOR, which came meanwhile, there is one reply more.
pub(crate) fn open(link: &mut Link, user: &mut User) -> Result<DataConnection, Stop> {
    let (opened, aborted) = match std::mem::take(&mut user.data) {
        DataChannel::None if user.account.default_data_port => {
            let client = link.ends.client_port();
            open_active(link, user, client)?
        }
        DataChannel::None => {
            return Err(Reply::new(
                Code::NO_DATA_CONNECTION,
                "Use PASV, EPSV, PORT or EPRT first.",
            )
            .into());
        }
        DataChannel::Passive(offer) => open_passive(link, user, offer)?,
        DataChannel::Active(target) => open_active(link, user, target)?,
    };
    opened.map_err(|stop| {
        if aborted {
            after_abort(link, stop)
        } else {
            stop
        }
    })
}

/// How opening went, and whether ABOR has come meanwhile.
type Opened = (Result<DataConnection, Stop>, bool);

fn open_passive(link: &mut Link, user: &mut User, offer: Offer) -> Result<Opened, Stop> {
    let deadline = user.deadline_for_data();
    let under_tls = link.binds_data(user.account.protection);
    let (client, peers) = (link.ends.client(), &user.account.passive_peers);
    let admits = |other| peers.admit(client, other, under_tls);
    let early = match offer.early {
        // SECURITY: it may have come while another level of data was agreed.
        Early::Came(ref arrival) if !admits(arrival.from) => None,
        Early::Came(arrival) => Some(arrival),
        Early::Awaited | Early::Later => None,
    };
    let mut strangers = Strangers::default();
    let mut watch = Watch::new(
        &mut link.control,
        user.files.as_fd(),
        user.account.permitted,
    );
    let opened = accept(
        &offer.listener,
        early,
        admits,
        link.data_front_ends.as_ref(),
        deadline,
        &mut watch,
        |stranger| strangers.add(stranger),
    );
    let aborted = watch.aborted;
    let stranger = offer.stranger.or(strangers.first());
    strangers.tell(link);
    if matches!(opened, Err(OpenError::TimedOut)) {
        let text = unclaimed(offer.told, offer.tells, client);
        link.tell_of_stranger(&text);
        // Where a tunnel carries the control connection alone, nobody would find out otherwise.
        if let Some(came) = stranger.filter(|_| !aborted) {
            let text = format!(
                "A data connection came from {came}, but the control connection comes from {client}."
            );
            return Err(Reply::new(Code::NO_DATA_CONNECTION, text).into());
        }
    }
    Ok((opened.map_err(outcome::data_open), aborted))
}

fn open_active(link: &mut Link, user: &mut User, target: SocketAddr) -> Result<Opened, Stop> {
    let deadline = user.deadline_for_data();
    let (socket, elsewhere) = user
        .files
        .active_connect(target)?
        .map_err(outcome::active_setup)?;
    if elsewhere {
        link.tell_of_stranger(&format!(
            "data connection to {target} comes from another port: ActivePorts are all in use towards it"
        ));
    }
    let mut watch = Watch::new(
        &mut link.control,
        user.files.as_fd(),
        user.account.permitted,
    );
    let opened = await_connect(socket, deadline, &mut watch);
    let aborted = watch.aborted;
    match opened {
        Err(OpenError::TimedOut) => link.tell_of_stranger(&format!(
            "data connection to {target} was not answered in DataTimeout; a firewall may keep it out, which passive mode gets around"
        )),
        Err(OpenError::Failed(errno)) => {
            link.tell_of_stranger(&format!("data connection to {target} failed: {errno}"));
        }
        Ok(_) | Err(OpenError::Interrupted(_) | OpenError::Insecure(_)) => {}
    }
    Ok((opened.map_err(outcome::active_open), aborted))
}

/// ABOR is answered twice: for the transfer that ended, and for itself (RFC 959 §4.1.3).
pub(crate) fn after_abort(link: &mut Link, transfer: Stop) -> Stop {
    match transfer {
        Stop::Reply(reply) => match link.control.reply(&reply) {
            Ok(()) => Reply::new(Code::DATA_DONE, "Abort successful.").into(),
            Err(lost) => lost.into(),
        },
        end @ Stop::End(_) => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(told: &str, tells: Tells, client: &str) -> String {
        unclaimed(told.parse().unwrap(), tells, client.parse().unwrap())
    }

    #[test]
    fn who_does_not_come_is_told_of_with_a_likely_reason() {
        let told = line("172.18.0.2:50000", Tells::Address, "203.0.113.9");
        assert_eq!(
            told,
            "nobody came to the passive port 172.18.0.2:50000; advertised 172.18.0.2 is private but the client 203.0.113.9 is \
             public: set PassiveAddress"
        );
        let told = line("127.0.0.1:50000", Tells::Address, "10.1.0.2");
        assert!(told.contains("the client's own machine"), "{told}");
        let firewalls = [
            ("172.18.0.2:50000", Tells::Port, "203.0.113.9"),
            ("172.18.0.2:50000", Tells::Address, "100.64.0.9"),
            ("198.51.100.1:50000", Tells::Address, "203.0.113.9"),
            ("[2001:db8::1]:50000", Tells::Port, "2001:db8::2"),
        ];
        for (address, tells, client) in firewalls {
            let told = line(address, tells, client);
            assert!(told.contains("a firewall may keep"), "{told}");
        }
    }
}
