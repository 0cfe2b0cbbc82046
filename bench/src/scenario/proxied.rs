//! What a gateway in front of a server costs: everything is done with the server itself and through the gateway, in turns.

use std::fs::File;
use std::time::{Duration, Instant};

use super::{Figure, Subject, aside, bulk, cost, memory};
use crate::client::{Credentials, Session};
use crate::failure::Failure;
use crate::gateways::Gateway;
use crate::running::{Running, Setting};
use crate::servers::Place;

/// Logins right after each other, before it is the other way's turn.
const LOGINS: u32 = 10;
/// Files likewise; a session has tickets for as many.
const FILES: u32 = 1;
/// How often each way has its turn, at least.
const TURNS: u32 = 2;
/// Idle sessions.
const SESSIONS: u32 = 1000;

/// What [`retr`] and [`stor`] give.
pub(super) const fn files(what: &'static str) -> [Figure; 6] {
    [
        aside(what, "MB/s"),
        aside("  directly", "MB/s"),
        aside("  server CPU, directly", "s/GiB"),
        aside("  server CPU", "s/GiB"),
        aside("  gateway CPU", "s/GiB"),
        cost("  both / directly", ""),
    ]
}

/// What [`login`] gives.
pub(super) const fn logins(what: &'static str) -> [Figure; 5] {
    [
        cost(what, "ms"),
        aside("  directly", "ms"),
        aside("  server CPU, directly", "ms"),
        aside("  server CPU", "ms"),
        cost("  gateway CPU", "ms"),
    ]
}

/// What [`memory()`] gives.
pub(super) const fn sessions(what: &'static str) -> [Figure; 2] {
    [cost(what, "KiB each"), aside("  of the server", "KiB each")]
}

/// What one way has taken so far.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    pieces: u32,
    wall: Duration,
    server: Duration,
    gateway: Duration,
}

impl Sum {
    /// Of one of its times, in seconds.
    fn each(self, time: Duration) -> f64 {
        time.as_secs_f64() / f64::from(self.pieces)
    }
}

/// Starts a gateway for as long as `work` takes, which gets the way through it.
fn with<T>(
    subject: &Subject,
    gateway: &Gateway,
    work: impl FnOnce(&Subject) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let Some(program) = gateway.path(subject.programs) else {
        let text = format!("{} is not here", gateway.name);
        return Err(Failure::Unsupported(text));
    };
    let server = subject.server.port;
    let setting = Setting {
        programs: subject.programs,
        run: subject.server.run.join(gateway.name),
        home: &subject.data.home,
        credentials: subject.credentials,
        certificate: subject.tls.map(|(certificate, _)| certificate),
        hooks: None,
    };
    let arguments = |place: &Place<'_>| (gateway.arguments)(place, server);
    let running = Running::start(gateway.name, program, setting, &arguments);
    let running = running.map_err(|cause| Failure::wrong(format!("{}: {cause}", gateway.name)))?;
    let Credentials { user, password } = subject.credentials;
    let credentials = Credentials {
        user: format!("{user}@127.0.0.1:{server}"),
        password: password.clone(),
    };
    work(&Subject {
        gateway: Some(&running),
        credentials: &credentials,
        ..*subject
    })
}

/// Does pieces of work directly and through the gateway, in turns. What `prepare` does is not measured; `work` gives how long
/// the pieces took by the clock.
fn in_turns<T>(
    ways: [&Subject; 2],
    pieces: u32,
    prepare: impl Fn(&Subject) -> Result<T, Failure>,
    work: impl Fn(&Subject, T) -> Result<Duration, Failure>,
) -> Result<[Sum; 2], Failure> {
    let mut sums = [Sum::default(); 2];
    let started = Instant::now();
    let mut turn = 0;
    while turn < TURNS || started.elapsed() < ways[0].window {
        // Neither always goes first.
        let first = usize::from(turn % 2 == 1);
        for way in [first, 1 - first] {
            let (at, sum) = (ways[way], &mut sums[way]);
            let prepared = prepare(at)?;
            let before = at.gateway_cpu()?;
            let (wall, took) = at.measured(|| work(at, prepared))?;
            sum.pieces += pieces;
            sum.wall += wall;
            sum.server += took.server;
            sum.gateway += at.gateway_cpu()?.saturating_sub(before);
        }
        turn += 1;
    }
    Ok(sums)
}

impl Subject<'_> {
    /// Of the gateway's processes, when they have settled; zero without one.
    fn gateway_cpu(&self) -> Result<Duration, Failure> {
        let Some(Running { processes, .. }) = self.gateway else {
            return Ok(Duration::ZERO);
        };
        let cpu = processes.settle().and_then(|()| processes.cpu());
        cpu.map_err(Failure::during("CPU of the gateway"))
    }
}

pub(super) fn retr(subject: &Subject, gateway: &Gateway) -> Result<Vec<f64>, Failure> {
    with(subject, gateway, |through| {
        bulk::check_down(through, &mut through.session()?)?;
        moved([subject, through], bulk::down)
    })
}

pub(super) fn stor(subject: &Subject, gateway: &Gateway) -> Result<Vec<f64>, Failure> {
    let file = File::open(subject.data.big()).map_err(Failure::wrong)?;
    with(subject, gateway, |through| {
        let up = |at: &Subject, session: &mut Session| bulk::up(at, session, &file);
        let figures = moved([subject, through], up)?;
        up(through, &mut through.session()?)?;
        bulk::check_up(through, &file)?;
        Ok(figures)
    })
}

/// What it costs to move files each way.
fn moved(
    ways: [&Subject; 2],
    file: impl Fn(&Subject, &mut Session) -> Result<Duration, Failure>,
) -> Result<Vec<f64>, Failure> {
    let work = |at: &Subject, mut session: Session| {
        let took = (0..FILES).map(|_| file(at, &mut session)).sum();
        session.quit()?;
        took
    };
    let [direct, through] = in_turns(ways, FILES, |at| at.session(), work)?;
    let speed = |sum: Sum| bulk::speed(f64::from(sum.pieces), sum.wall);
    let alone = direct.each(direct.server);
    let (server, gateway) = (through.each(through.server), through.each(through.gateway));
    let ratio = (server + gateway) / alone;
    Ok(vec![
        speed(through),
        speed(direct),
        alone,
        server,
        gateway,
        ratio,
    ])
}

pub(super) fn login(subject: &Subject, gateway: &Gateway) -> Result<Vec<f64>, Failure> {
    with(subject, gateway, |through| {
        let work = |at: &Subject, ()| {
            let started = Instant::now();
            for _ in 0..LOGINS {
                at.login()?.quit()?;
            }
            Ok(started.elapsed())
        };
        let [direct, through] = in_turns([subject, through], LOGINS, |_| Ok(()), work)?;
        let millis = |sum: Sum, time| sum.each(time) * 1e3;
        Ok(vec![
            millis(through, through.wall),
            millis(direct, direct.wall),
            millis(direct, direct.server),
            millis(through, through.server),
            millis(through, through.gateway),
        ])
    })
}

/// Idle sessions through the gateway: what each adds to the memory of the gateway and of the server.
pub(super) fn memory(subject: &Subject, gateway: &Gateway) -> Result<Vec<f64>, Failure> {
    with(subject, gateway, |through| {
        let through = Subject {
            sessions: SESSIONS,
            ..*through
        };
        let gateway = through.gateway.unwrap_or(through.server);
        memory::grown(&through, &[&gateway.processes, through.processes()])
    })
}
