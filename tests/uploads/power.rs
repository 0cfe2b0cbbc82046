//! Power cuts: the files are on an ext4 in an image, which holds only what the kernel has written to its "disk". While all
//! processes of the server stand still a copy of it is what a power cut would have left; mounted, it must have
//! all that was acknowledged.
//!
//! What this cannot show: what a drive does with its own cache, and blocks that it writes in another order than it was told.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tests::mounts::{self, Mounted};
use tests::processes::Process;
use tests::{Scratch, Setup};

use super::deaths::{check, content, number, seed, upload_on};

/// Journal commits that nobody asks for are held back for as long as the test takes; the kernel's own write-back of data
/// begins after half a minute.
const HELD_BACK: &str = "commit=600";

type Acknowledged = BTreeMap<String, u64>;

/// Stops all processes below one, itself first.
fn stop(process: &Process, stopped: &mut Vec<Pid>) {
    let pid = Pid::from_raw(process.pid);
    kill(pid, Signal::SIGSTOP).unwrap();
    stopped.push(pid);
    tests::wait::until("the process stands still", || {
        !process.runs() || process.status()["State"].starts_with('T')
    });
    for child in process.children() {
        stop(&child, stopped);
    }
}

/// Uploads, cuts the power at so many moments, and gives each image to `judge` with what was acknowledged by then.
fn cuts(durability: &str, count: u32, judge: impl Fn(&Acknowledged, &Path, &str)) {
    let seed = seed();
    let mut random = fastrand::Rng::with_seed(seed);
    let setup = Setup::new().setting(&format!("Durability={durability}"));
    let images = Scratch::new();
    let disk = images.join("disk");
    mounts::ext4(&disk, 64);
    let (home, cut) = (setup.scratch().join("home"), images.join("cut"));
    let mounted = Mounted::image(&disk, &home, HELD_BACK);
    let server = setup.start();
    let acknowledged = Arc::new(Mutex::new(Acknowledged::new()));
    let clients: Vec<_> = [1_000_000, 2_000_000, 3_000_000]
        .into_iter()
        .map(|first| {
            let (client, acknowledged) = (server.logged_in(), Arc::clone(&acknowledged));
            std::thread::spawn(move || {
                upload_on(client, first, |name, number| {
                    acknowledged.lock().unwrap().insert(name, number);
                });
            })
        })
        .collect();
    tests::wait::until("something is acknowledged", || {
        acknowledged.lock().unwrap().len() == 9
    });
    for index in 0..count {
        std::thread::sleep(Duration::from_micros(random.u64(..100_000)));
        let mut stopped = Vec::new();
        stop(&server.process(), &mut stopped);
        let told = acknowledged.lock().unwrap().clone();
        std::fs::copy(&disk, &cut).unwrap();
        for pid in stopped {
            kill(pid, Signal::SIGCONT).unwrap();
        }
        let after = images.join("after");
        let _power = Mounted::image(&cut, &after, "noatime");
        judge(&told, &after, &format!("SEED={seed}, cut {index}"));
    }
    for process in server.keepers() {
        let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
    }
    for client in clients {
        client.join().unwrap();
    }
    drop(mounted);
}

fn everything_is_there(count: u32) {
    if mounts::loops() {
        cuts("strict", count, check);
    }
}

#[test]
fn what_was_acknowledged_survives_3_power_cuts() {
    everything_is_there(3);
}

#[test]
#[ignore = "takes a minute: `make soak` runs it"]
fn what_was_acknowledged_survives_50_power_cuts() {
    everything_is_there(50);
}

/// That the cuts would show a loss: without a sync there is one.
#[test]
fn without_durability_a_power_cut_is_seen_to_lose_files() {
    if !mounts::loops() {
        return;
    }
    let lost = Mutex::new(0);
    cuts("off", 1, |acknowledged, after, _| {
        let is_lost = |(name, &last): (&String, &u64)| {
            let octets = std::fs::read(after.join(name)).unwrap_or_default();
            number(&octets) < Some(last)
        };
        *lost.lock().unwrap() += acknowledged.iter().filter(|&one| is_lost(one)).count();
    });
    let lost = lost.into_inner().unwrap();
    assert!(lost > 0, "the method shows no loss where there must be one");
    assert_eq!(number(&content(5)), Some(5));
}
