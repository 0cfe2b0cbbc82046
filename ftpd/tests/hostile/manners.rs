//! What is no message of its phase ends the session, without an answer.

use std::fs;
use std::io::IoSlice;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown};

use common::channel::{
    Asker, FileAnswer, FileRequest, LoginAnswer, LoginRequest, PROOF_PART, SignAnswer, SignRequest,
    Signing, UserName,
};
use common::jail::Failure;
use common::listener::Status;
use common::path::VirtualPath;
use common::settings::networks::Networks;
use common::settings::{ClientCertificate, Tls};
use common::tls::clients::LONGEST_PROOF;
use common::tls::make::self_signed;
use common::wire::{Octets, Wire};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use tempfile::TempDir;

use crate::Test;
use crate::scene::{Identity, Scene, login_request, ordinary, pair};
use crate::session::Then;

pub(crate) const TESTS: &[Test] = &[
    (
        "no_message_at_all_ends_the_session_in_each_phase",
        no_message,
    ),
    (
        "a_message_of_another_phase_or_direction_ends_the_session",
        of_another_phase,
    ),
    ("a_descriptor_on_a_request_ends_the_session", descriptor),
    (
        "a_path_in_another_form_than_the_normal_one_ends_the_session",
        paths,
    ),
    ("an_ordinary_end_is_none_for_misbehaviour", ordinary_end),
    (
        "wrong_passwords_are_counted_by_keeper_itself",
        wrong_passwords,
    ),
    ("a_network_half_that_will_not_end_is_not_waited_for", stays),
    ("a_session_gets_one_channel_to_its_signer", one_signer),
    (
        "a_proof_is_presented_once_and_garbage_proves_nothing",
        one_proof,
    ),
    (
        "only_a_front_ends_session_names_its_client_and_that_once_and_first",
        peer,
    ),
];

/// The longest message, as the channel has it.
const LONGEST: usize = 8 * 1024 + 256;

fn path(text: &[u8]) -> VirtualPath {
    VirtualPath::new(text).unwrap()
}

/// A scene in each phase.
fn each_phase(identity: Identity, check: impl Fn(Scene, &str)) {
    check(Scene::new(identity), "before login");
    check(Scene::logged_in(identity), "after login");
}

/// A request that is right in the scene's phase.
fn right(scene: &mut Scene, phase: &str) -> Vec<u8> {
    if phase == "before login" {
        scene.numbered(&login_request("correct horse"))
    } else {
        scene.numbered(&FileRequest::MakeDir {
            path: path(b"/made"),
        })
    }
}

fn no_message(identity: Identity) {
    type Spoil = fn(Vec<u8>) -> Vec<u8>;
    let cases: [(&str, Spoil); 9] = [
        ("garbage", |_| vec![0xa5; 100]),
        ("one octet", |_| vec![0]),
        ("a number alone", |right| right[..4].to_vec()),
        ("an unknown tag", |_| vec![0, 0, 0, 0, 255]),
        ("a truncated message", |right| {
            right[..right.len() - 1].to_vec()
        }),
        ("a trailing octet", |right| [&right[..], &[0]].concat()),
        ("a length that lies", |mut right| {
            right[5..7].fill(0xff);
            right
        }),
        ("as long as it may be, and padded", |mut right| {
            right.resize(LONGEST, 0);
            right
        }),
        ("an octet too long", |mut right| {
            right.resize(LONGEST + 1, 0);
            right
        }),
    ];
    for (what, spoil) in cases {
        each_phase(identity, |mut scene, phase| {
            let octets = spoil(right(&mut scene, phase));
            scene.send(&octets, None);
            scene.send_late(&FileRequest::ListEnd);
            scene.ends_without_an_answer(&format!("{what} {phase}"));
        });
    }
}

fn of_another_phase(identity: Identity) {
    type Make = fn(&mut Scene) -> Vec<u8>;
    let before: [(&str, Make); 4] = [
        ("Stat before login", |s| {
            s.numbered(&FileRequest::Stat { path: path(b"/") })
        }),
        ("Commit before login", |s| s.numbered(&FileRequest::Commit)),
        ("Refused, an answer", |s| {
            s.numbered(&LoginAnswer::Refused { last: false })
        }),
        ("Failed, an answer", |s| {
            s.numbered(&FileAnswer::Failed { why: Failure::Io })
        }),
    ];
    for (what, make) in before {
        let mut scene = Scene::new(identity);
        let octets = make(&mut scene);
        scene.send(&octets, None);
        scene.ends_without_an_answer(what);
    }
    let after: [(&str, Make); 4] = [
        ("Authenticate after login", |s| {
            s.numbered(&login_request("correct horse"))
        }),
        ("Refused, an answer", |s| {
            s.numbered(&LoginAnswer::Refused { last: false })
        }),
        ("Done, an answer", |s| s.numbered(&FileAnswer::Done)),
        ("Opened, an answer", |s| {
            s.numbered(&FileAnswer::Opened {
                size: 1,
                contested: false,
            })
        }),
    ];
    for (what, make) in after {
        let mut scene = Scene::logged_in(identity);
        let octets = make(&mut scene);
        scene.send(&octets, None);
        scene.ends_without_an_answer(what);
    }
}

fn descriptor(identity: Identity) {
    each_phase(identity, |mut scene, phase| {
        let octets = right(&mut scene, phase);
        let (gift, _other) = pair();
        scene.send(&octets, Some(&gift));
        scene.ends_without_an_answer(&format!("one descriptor {phase}"));
    });
    for count in 2..6 {
        each_phase(identity, |mut scene, phase| {
            let octets = right(&mut scene, phase);
            let (gift, _other) = pair();
            send_with(scene.channel(), &octets, &vec![gift.as_raw_fd(); count]);
            scene.ends_without_an_answer(&format!("{count} descriptors {phase}"));
        });
    }
}

fn send_with(channel: &OwnedFd, octets: &[u8], gifts: &[i32]) {
    let rights = [ControlMessage::ScmRights(gifts)];
    let slice = [IoSlice::new(octets)];
    sendmsg::<()>(
        channel.as_raw_fd(),
        &slice,
        &rights,
        MsgFlags::empty(),
        None,
    )
    .unwrap();
}

fn paths(identity: Identity) {
    const STAT: u8 = 39;
    let odd: [&[u8]; 9] = [
        b"",
        b"relative",
        b"/a/../b",
        b"/..",
        b"/a//b",
        b"/a/",
        b"/./a",
        b"//",
        b"/a\0b",
    ];
    for text in odd {
        let scene = Scene::logged_in(identity);
        let mut octets = vec![0, 0, 0, 0, STAT];
        u16::try_from(text.len()).unwrap().put(&mut octets);
        octets.extend_from_slice(text);
        scene.send(&octets, None);
        scene.ends_without_an_answer(&format!("the path '{}'", text.escape_ascii()));
    }
    // The same octets with a path that is normal are an ordinary request.
    let mut scene = Scene::logged_in(identity);
    let same = scene.numbered(&FileRequest::Stat { path: path(b"/a") });
    assert_eq!(same[4..], [STAT, 2, 0, b'/', b'a']);
    let (answer, _) = scene.ask(&FileRequest::Stat { path: path(b"/a") });
    assert!(
        matches!(
            answer,
            FileAnswer::Failed {
                why: Failure::NotFound
            }
        ),
        "{answer:?}"
    );
}

fn ordinary_end(identity: Identity) {
    each_phase(identity, |mut scene, phase| {
        assert_eq!(scene.leave(), Status::Ended.code(), "closed {phase}");
    });
    each_phase(identity, |mut scene, phase| {
        // An empty datagram cannot be told from the end of the channel, and is one.
        scene.send(b"", None);
        assert!(scene.receive().is_none(), "{phase}");
        assert_eq!(
            scene.end(),
            Status::Ended.code(),
            "an empty datagram {phase}"
        );
    });
}

fn wrong_passwords(identity: Identity) {
    let mut scene = Scene::with(identity, Then::Leave, |config| {
        config.server.max_login_fails = 3;
        config.server.login_fail_delay = std::time::Duration::ZERO;
    });
    for last in [false, false, true] {
        let answer = scene.authenticate("wrong");
        assert!(
            matches!(answer, LoginAnswer::Refused { last: is } if is == last),
            "{answer:?}"
        );
    }
    // The fourth is too late, even with the right one; that it was asked is no matter of its own.
    scene.send_late(&login_request("correct horse"));
    assert!(scene.receive().is_none());
    assert_eq!(scene.end(), Status::LoginFailed.code());
    assert!(
        UserName::new(&[b'u'; 256]).is_none(),
        "a longer name is no message"
    );
}

fn stays(identity: Identity) {
    for spoil in [&b"no message"[..], b""] {
        let mut scene = Scene::with(identity, Then::Stay, |_| {});
        scene.send(spoil, None);
        assert!(scene.receive().is_none());
        scene.end();
    }
}

/// Before login, with a certificate.
fn with_certificate(identity: Identity) -> (Scene, TempDir) {
    with_tls(identity, |_| {})
}

fn with_tls(identity: Identity, change: impl FnOnce(&mut Tls)) -> (Scene, TempDir) {
    let files = tempfile::tempdir().unwrap();
    let file = files.path().join("pair.pem");
    let pair = self_signed("ftp.example").unwrap();
    fs::write(&file, pair.certificate + &pair.key).unwrap();
    fs::set_permissions(files.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    if identity == Identity::Ordinary {
        let user = ordinary();
        chown(&file, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
    let scene = Scene::with(identity, Then::Leave, |config| {
        config.server.tls.certificates = vec![file];
        change(&mut config.server.tls);
    });
    (scene, files)
}

fn one_signer(identity: Identity) {
    let own = LoginRequest::Signer { generation: 0 };
    let other = LoginRequest::Signer { generation: 1 };
    let (mut scene, _files) = with_certificate(identity);
    let (answer, channel) = scene.ask_before_login(&own);
    assert!(matches!(answer, LoginAnswer::Signer), "{answer:?}");
    let mut signer: Asker<Signing> = Asker::over(channel.unwrap());
    let request = SignRequest::Sign {
        certificate: 0,
        scheme: 0x0403,
        message: Octets::new(b"a contract").unwrap(),
    };
    let (answer, _) = signer.call(&request).unwrap();
    assert!(matches!(answer, SignAnswer::Refused), "{answer:?}");
    let none = |scene: &mut Scene, request: &LoginRequest| {
        let (answer, channel) = scene.ask_before_login(request);
        assert!(matches!(answer, LoginAnswer::NoSigner), "{answer:?}");
        assert!(channel.is_none());
    };
    // No second one, as each has a budget of its own.
    none(&mut scene, &own);
    let (_scene, _) = scene.log_in();
    // None that has the keys to other certificates than the session knows, and no second guess.
    let (mut scene, _files) = with_certificate(identity);
    none(&mut scene, &other);
    none(&mut scene, &own);
    none(&mut Scene::new(identity), &own);
}

/// The same, where clients are asked for certificates.
fn with_clients(identity: Identity) -> (Scene, TempDir) {
    with_tls(identity, |tls| {
        tls.clients.asked = ClientCertificate::Optional;
        tls.clients.authorities = tls.certificates.clone();
    })
}

#[track_caller]
fn misbehave(mut scene: Scene, request: &LoginRequest, what: &str) {
    let octets = scene.numbered(request);
    scene.send(&octets, None);
    scene.ends_without_an_answer(what);
}

fn one_proof(identity: Identity) {
    let part = |octets: &[u8], more| LoginRequest::Present {
        part: Octets::new(octets).unwrap(),
        more,
    };
    let (mut scene, _files) = with_clients(identity);
    let (answer, _) = scene.ask_before_login(&part(b"garbage", true));
    assert!(matches!(answer, LoginAnswer::Taken), "{answer:?}");
    let (answer, _) = scene.ask_before_login(&part(b"", false));
    assert!(matches!(answer, LoginAnswer::NotCertified), "{answer:?}");
    // What was not proved lets nobody in, and the password does as before.
    let user = UserName::new(b"tester").unwrap();
    let (answer, _) = scene.ask_before_login(&LoginRequest::Enter { user });
    assert!(matches!(answer, LoginAnswer::NeedPassword), "{answer:?}");
    let (_scene, _) = scene.log_in();
    // Not twice, since each is a process.
    let (mut scene, _files) = with_clients(identity);
    scene.ask_before_login(&part(b"", false));
    misbehave(scene, &part(b"", false), "a second proof");
    // Not without end.
    let (mut scene, _files) = with_clients(identity);
    for _ in 0..LONGEST_PROOF / PROOF_PART {
        let (answer, _) = scene.ask_before_login(&part(&[0; PROOF_PART], true));
        assert!(matches!(answer, LoginAnswer::Taken), "{answer:?}");
    }
    misbehave(scene, &part(&[0; PROOF_PART], true), "an endless proof");
    // Not where nobody was asked for one.
    misbehave(
        Scene::new(identity),
        &part(b"", false),
        "an uncalled-for proof",
    );
}

/// A session that may or must say whom a front end passes on.
fn peer(identity: Identity) {
    let named = |client: &str| LoginRequest::Peer {
        client: client.parse().unwrap(),
        server: "127.0.0.1:21".parse().unwrap(),
    };
    let behind = |networks: &str| {
        let networks = Networks::parse(networks).unwrap();
        Scene::with(identity, Then::Leave, |config| {
            config.server.limits.front_ends = Some(networks);
        })
    };
    let refused = |mut scene: Scene, request: &LoginRequest| {
        scene.send_late(request);
        assert!(scene.receive().is_none());
        assert_eq!(scene.end(), Status::Misbehaved.code());
    };
    // No front end at all, and another one.
    refused(Scene::new(identity), &named("203.0.113.9:1"));
    refused(behind("192.0.2.0/24"), &named("203.0.113.9:1"));
    // A front end's session that leaves it out.
    refused(behind("127.0.0.0/8"), &login_request("correct horse"));
    refused(
        behind("127.0.0.0/8"),
        &LoginRequest::Signer { generation: 0 },
    );
    // Once.
    let mut scene = behind("127.0.0.0/8");
    let (answer, _) = scene.ask_before_login(&named("203.0.113.9:1"));
    assert!(matches!(answer, LoginAnswer::Admitted), "{answer:?}");
    refused(scene, &named("203.0.113.10:1"));
    // And from then on keeper connects to that client alone.
    let mut scene = behind("127.0.0.0/8");
    scene.ask_before_login(&named("203.0.113.9:1"));
    let (mut scene, _) = scene.log_in();
    let target = "127.0.0.1:5000".parse().unwrap();
    let (answer, socket) = scene.ask(&FileRequest::ActiveConnect { target });
    assert!(matches!(answer, FileAnswer::TargetRefused), "{answer:?}");
    assert!(socket.is_none());
}
