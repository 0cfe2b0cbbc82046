//! Rates of transfer as a client meets them: never faster than they say, and never deaf meanwhile. How close to the limit a
//! transfer comes is measured by the bench, where time may count.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::time::{Duration, Instant};

use tests::{Data, Setup};

/// What may move at once beside what the time allows: the windows of the rate, and what clocks differ by.
const SLACK: Duration = Duration::from_millis(200);

#[test]
fn both_directions_keep_to_their_rates_in_every_representation() {
    let server = Setup::new()
        .setting("DownloadRate=1MiB/s")
        .setting("UploadRate=2MB/s")
        .start();
    let octets = vec![b'x'; 1 << 20];
    server.put("file", &octets);
    let mut client = server.logged_in();
    for kind in ["TYPE I", "TYPE A"] {
        client.expect(kind, 200);
        let begun = Instant::now();
        assert_eq!(client.download(Data::Epsv, "file").len(), octets.len());
        assert!(begun.elapsed() + SLACK >= Duration::from_secs(1), "{kind}");
        let begun = Instant::now();
        client.upload(Data::Epsv, "copy", &octets);
        assert!(
            begun.elapsed() + SLACK >= Duration::from_millis(524),
            "{kind}"
        );
        assert_eq!(server.content("copy"), octets);
    }
}

#[test]
fn the_rate_holds_over_many_small_files() {
    let server = Setup::new().setting("DownloadRate=64KiB/s").start();
    server.put("file", &[b'x'; 4 << 10]);
    let mut client = server.logged_in();
    client.expect("TYPE I", 200);
    let begun = Instant::now();
    for _ in 0..16 {
        client.download(Data::Epsv, "file");
    }
    assert!(begun.elapsed() + SLACK >= Duration::from_secs(1));
}

#[test]
fn an_account_has_a_rate_of_its_own() {
    let server = Setup::new()
        .setting("DownloadRate=1B/s")
        .account("fast", "plain", "DownloadRate=none")
        .start();
    let octets = vec![b'x'; 8 << 20];
    server.put("file", &octets);
    let mut client = server.connect();
    client.login("fast", "correct horse");
    client.expect("TYPE I", 200);
    assert_eq!(client.download(Data::Epsv, "file").len(), octets.len());
}

#[test]
fn sessions_share_a_rate_by_user_and_in_all() {
    for setting in ["UserDownloadRate=1MiB/s", "TotalDownloadRate=1MiB/s"] {
        let server = Setup::new().setting(setting).start();
        let octets = vec![b'x'; 512 << 10];
        server.put("file", &octets);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut client = server.logged_in();
                    client.expect("TYPE I", 200);
                    assert_eq!(client.download(Data::Epsv, "file").len(), octets.len());
                });
            }
        });
        let elapsed = begun.elapsed();
        assert!(
            elapsed + SLACK >= Duration::from_secs(2),
            "{setting}: {elapsed:?}"
        );
        // The other direction is free.
        let mut client = server.logged_in();
        client.expect("TYPE I", 200);
        client.upload(Data::Epsv, "copy", &vec![b'x'; 16 << 20]);
    }
}

#[test]
fn a_session_that_ends_amid_its_share_leaves_the_others_theirs() {
    let server = Setup::new().setting("UserUploadRate=1MiB/s").start();
    let mut gone = server.logged_in();
    let data = gone.data(Data::Epsv);
    gone.begin("STOR gone");
    let data = data.open();
    data.write(&[b'x'; 1000]);
    data.reset();
    drop(gone);
    let mut client = server.logged_in();
    client.expect("TYPE I", 200);
    client.upload(Data::Epsv, "file", &[b'x'; 64 << 10]);
}

#[test]
fn a_slow_transfer_is_no_stalled_one_and_hears_abor_and_stat() {
    let server = Setup::new()
        .setting("DownloadRate=2B/s")
        .setting("StallTimeout=1")
        .start();
    server.put("file", &[b'x'; 1000]);
    let mut client = server.logged_in();
    client.expect("TYPE I", 200);
    let data = client.data(Data::Epsv);
    client.begin("RETR file");
    let data = data.open();
    // Six octets at two a second: longer than the time after which a transfer is given up that could go on.
    assert_eq!(data.read_some(6).len(), 6);
    let status = client.expect("STAT", 213);
    assert!(status.text().contains("octets so far"), "{status}");
    client.expect("ABOR", 426);
    client.expect_reply(226);
    client.expect("NOOP", 200);
}
