//! Right messages for wrong things: keeper decides by what it knows itself, not by what the other half thinks.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use common::channel::{FileAnswer, FileRequest, ListFormat, Typed, UploadAt};
use common::jail::Failure;
use common::path::VirtualPath;
use common::proto::facts::{FactSet, Permissions};
use common::proto::hostport::Family;
use common::proto::listing::ListOptions;
use common::proto::verbs::{Group, Verb, VerbSet};

use crate::Test;
use crate::scene::{CLIENT, Identity, SERVER, Scene};
use crate::session::Then;

pub(crate) const TESTS: &[Test] = &[
    (
        "without_write_verbs_every_request_that_writes_is_refused",
        read_only,
    ),
    ("without_any_verb_every_request_is_refused", nothing),
    (
        "data_goes_to_the_client_itself_and_to_no_privileged_port",
        active,
    ),
    (
        "a_listener_is_made_on_the_address_of_the_control_connection_alone",
        passive,
    ),
    ("what_was_not_begun_can_be_ended_without_harm", not_begun),
    ("two_uploads_at_once_are_one", two_uploads),
    ("no_path_leads_out_of_the_root", outside),
];

fn path(text: &str) -> VirtualPath {
    VirtualPath::new(text.as_bytes()).unwrap()
}

fn writes() -> Vec<FileRequest> {
    let create = |at| FileRequest::Create {
        path: path("/new"),
        at,
        continuable: true,
        declared: None,
    };
    vec![
        create(UploadAt::Replace),
        create(UploadAt::Append),
        create(UploadAt::Offset { offset: 1 }),
        FileRequest::Commit,
        FileRequest::Discard,
        FileRequest::Remove {
            path: path("/file"),
        },
        FileRequest::MakeDir { path: path("/new") },
        FileRequest::RemoveDir {
            path: path("/directory"),
        },
        FileRequest::Rename {
            from: path("/file"),
            to: path("/new"),
        },
        FileRequest::SetMode {
            path: path("/file"),
            mode: Permissions::of(0o777),
        },
        FileRequest::SetTimes {
            path: path("/file"),
            modified: 0,
            accessed: None,
        },
        FileRequest::Symlink {
            target: path("/file"),
            link: path("/new"),
        },
        FileRequest::Umask { new: None },
        create(UploadAt::New),
        FileRequest::RemoveTree {
            path: path("/directory"),
        },
        FileRequest::Copy {
            from: path("/file"),
            to: path("/new"),
        },
        FileRequest::MakeDirs {
            path: path("/new/below"),
        },
        FileRequest::Unpack {
            directory: path("/directory"),
        },
        FileRequest::UnpackDirectory {
            path: path("/new"),
            mode: Permissions::of(0o777),
        },
        FileRequest::UnpackFile {
            path: path("/new"),
            size: 1,
        },
        FileRequest::CommitEntry {
            mode: Permissions::of(0o777),
            modified: 0,
        },
        FileRequest::FinishDirectory {
            path: path("/directory"),
            mode: Permissions::of(0o777),
            modified: 0,
        },
    ]
}

fn reads() -> Vec<FileRequest> {
    vec![
        FileRequest::Open {
            path: path("/file"),
        },
        FileRequest::OpenForDigest {
            path: path("/file"),
        },
        FileRequest::DigestEnd,
        list("/"),
        FileRequest::ListEnd,
        FileRequest::Stat {
            path: path("/file"),
        },
        FileRequest::Facts {
            path: path("/file"),
            wanted: FactSet::ALL,
        },
        FileRequest::ChangeDir {
            path: path("/directory"),
        },
        FileRequest::MeasureTree {
            path: path("/directory"),
        },
        FileRequest::Pack {
            path: path("/directory"),
            pattern: None,
            name: Typed::default(),
        },
        FileRequest::Space {
            path: path("/directory"),
        },
        FileRequest::Who,
        FileRequest::ChangePassword,
        FileRequest::PassiveListen { family: Family::V4 },
        FileRequest::ActiveConnect {
            target: SocketAddr::from((CLIENT, 2000)),
        },
    ]
}

fn list(directory: &str) -> FileRequest {
    FileRequest::List {
        path: path(directory),
        pattern: None,
        typed: Typed::new(b"").unwrap(),
        format: ListFormat::Names,
        options: ListOptions {
            all: true,
            ..ListOptions::default()
        },
        facts: FactSet::ALL,
    }
}

/// Logged in, with a file and a directory of the user's, and these verbs.
fn permitted(identity: Identity, verbs: VerbSet) -> Scene {
    let scene = Scene::with(identity, Then::Leave, |config| {
        config.session.permitted = verbs
    });
    std::fs::write(scene.home.join("file"), "content").unwrap();
    std::fs::create_dir(scene.home.join("directory")).unwrap();
    scene.log_in().0
}

fn names(scene: &Scene) -> Vec<String> {
    let entries = std::fs::read_dir(&scene.home).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn read_only(identity: Identity) {
    let mut verbs = VerbSet::NONE;
    Verb::all()
        .filter(|verb| verb.spec().group != Group::Write)
        .for_each(|verb| verbs.insert(verb));
    let mut scene = permitted(identity, verbs);
    for request in writes() {
        let (answer, descriptor) = scene.ask(&request);
        assert!(
            matches!(answer, FileAnswer::NotPermitted),
            "{request:?}: {answer:?}"
        );
        assert!(descriptor.is_none(), "{request:?}");
    }
    assert_eq!(names(&scene), ["directory", "file"]);
    for request in reads() {
        let (answer, _) = scene.ask(&request);
        assert!(
            !matches!(answer, FileAnswer::NotPermitted),
            "{request:?}: {answer:?}"
        );
    }
}

fn nothing(identity: Identity) {
    let mut scene = permitted(identity, VerbSet::NONE);
    for request in reads().into_iter().chain(writes()) {
        let (answer, descriptor) = scene.ask(&request);
        assert!(
            matches!(answer, FileAnswer::NotPermitted),
            "{request:?}: {answer:?}"
        );
        assert!(descriptor.is_none(), "{request:?}");
    }
    assert_eq!(names(&scene), ["directory", "file"]);
}

/// A listener that is not waited on: whoever wanted to connect over loopback has done so when keeper has answered.
fn listener(address: impl Into<SocketAddr>) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address.into())?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn nobody_came(listener: &TcpListener) -> bool {
    listener
        .accept()
        .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
}

fn active(identity: Identity) {
    let mut scene = Scene::logged_in(identity);
    // The server's own address: loopback, when the client is elsewhere.
    let own = listener((SERVER, 0)).unwrap();
    let third = listener(([127, 0, 0, 3], 0)).unwrap();
    // Only root can have one; for anybody else there is nobody to be seen, and the answer must be the same.
    let privileged = (512..1024)
        .rev()
        .find_map(|port| listener((CLIENT, port)).ok());
    let client = listener((CLIENT, 0)).unwrap();
    let port = client.local_addr().unwrap().port();
    let mapped =
        |ip: [u8; 4], port| SocketAddr::from((std::net::Ipv4Addr::from(ip).to_ipv6_mapped(), port));
    let mut targets = vec![
        own.local_addr().unwrap(),
        third.local_addr().unwrap(),
        mapped(SERVER, own.local_addr().unwrap().port()),
        SocketAddr::from((CLIENT, 0)),
        SocketAddr::from((CLIENT, 1)),
        SocketAddr::from((CLIENT, 1023)),
        SocketAddr::from(([0, 0, 0, 0], port)),
        SocketAddr::from(([255, 255, 255, 255], port)),
        SocketAddr::from(([224, 0, 0, 1], port)),
        SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, port)),
        SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, port)),
    ];
    if let Some(listener) = &privileged {
        targets.push(listener.local_addr().unwrap());
        targets.push(mapped(CLIENT, listener.local_addr().unwrap().port()));
    }
    for target in targets {
        let (answer, descriptor) = scene.ask(&FileRequest::ActiveConnect { target });
        assert!(
            matches!(answer, FileAnswer::TargetRefused),
            "{target}: {answer:?}"
        );
        assert!(descriptor.is_none(), "{target}");
    }
    for unwanted in [Some(&own), Some(&third), Some(&client), privileged.as_ref()]
        .into_iter()
        .flatten()
    {
        assert!(nobody_came(unwanted), "{unwanted:?} saw a connection");
    }
    // And that the eyes of this test are open:
    for target in [SocketAddr::from((CLIENT, port)), mapped(CLIENT, port)] {
        let (answer, descriptor) = scene.ask(&FileRequest::ActiveConnect { target });
        assert!(
            matches!(answer, FileAnswer::Connecting { elsewhere: false }),
            "{target}: {answer:?}"
        );
        assert!(descriptor.is_some());
        let (_, from) = client.accept().unwrap();
        assert_eq!(from.ip(), std::net::IpAddr::from(SERVER));
    }
}

fn local_address(socket: OwnedFd) -> SocketAddr {
    socket2::Socket::from(socket)
        .local_addr()
        .unwrap()
        .as_socket()
        .unwrap()
}

fn passive(identity: Identity) {
    let mut scene = Scene::logged_in(identity);
    let (answer, descriptor) = scene.ask(&FileRequest::PassiveListen { family: Family::V6 });
    assert!(matches!(answer, FileAnswer::TargetRefused), "{answer:?}");
    assert!(descriptor.is_none());
    let (answer, descriptor) = scene.ask(&FileRequest::PassiveListen { family: Family::V4 });
    let FileAnswer::Listening { address } = answer else {
        panic!("{answer:?}");
    };
    assert_eq!(address.ip(), std::net::IpAddr::from(SERVER));
    assert!(address.port() >= 49152, "{address}");
    assert_eq!(local_address(descriptor.unwrap()), address);
    let (mut scene, octets) = (Scene::logged_in(identity), [0, 0, 0, 0, 46, 5]);
    scene.send(&octets, None);
    assert!(scene.receive().is_none(), "a family that does not exist");
    scene.end();
}

fn not_begun(identity: Identity) {
    let mut scene = Scene::logged_in(identity);
    let mode = Permissions::of(0o777);
    for request in [
        FileRequest::Commit,
        FileRequest::PackNext,
        FileRequest::UnpackDirectory {
            path: path("/new"),
            mode,
        },
        FileRequest::UnpackFile {
            path: path("/new"),
            size: 1,
        },
        FileRequest::CommitEntry { mode, modified: 0 },
    ] {
        let (answer, _) = scene.ask(&request);
        assert!(
            matches!(
                answer,
                FileAnswer::Failed {
                    why: Failure::NotFound
                }
            ),
            "{request:?}: {answer:?}"
        );
    }
    for request in [
        FileRequest::Discard,
        FileRequest::ListEnd,
        FileRequest::ListEnd,
    ] {
        let (answer, _) = scene.ask(&request);
        assert!(
            matches!(answer, FileAnswer::Done | FileAnswer::Listed { .. }),
            "{request:?}: {answer:?}"
        );
    }
    // A second listing takes the place of the first, whose pipe nobody reads.
    let (answer, first) = scene.ask(&list("/"));
    assert!(matches!(answer, FileAnswer::Listing), "{answer:?}");
    let (answer, _second) = scene.ask(&list("/"));
    assert!(matches!(answer, FileAnswer::Listing), "{answer:?}");
    drop(first);
    let (answer, _) = scene.ask(&FileRequest::ChangeDir { path: path("/") });
    assert!(matches!(answer, FileAnswer::Done), "{answer:?}");
    assert_eq!(scene.leave(), 0);
}

fn two_uploads(identity: Identity) {
    let mut scene = Scene::logged_in(identity);
    let create = |name| FileRequest::Create {
        path: path(name),
        at: UploadAt::Replace,
        continuable: true,
        declared: None,
    };
    let (answer, first) = scene.ask(&create("/first"));
    assert!(matches!(answer, FileAnswer::Created { .. }), "{answer:?}");
    let (answer, second) = scene.ask(&create("/second"));
    assert!(matches!(answer, FileAnswer::Created { .. }), "{answer:?}");
    nix::unistd::write(first.unwrap(), b"the first").unwrap();
    nix::unistd::write(second.unwrap(), b"the second").unwrap();
    let (answer, _) = scene.ask(&FileRequest::Commit);
    assert!(
        matches!(answer, FileAnswer::Committed { size: 10 }),
        "{answer:?}"
    );
    let (answer, _) = scene.ask(&FileRequest::Commit);
    assert!(
        matches!(
            answer,
            FileAnswer::Failed {
                why: Failure::NotFound
            }
        ),
        "{answer:?}"
    );
    assert_eq!(names(&scene), ["second"]);
    let (answer, _) = scene.ask(&create("/third"));
    assert!(matches!(answer, FileAnswer::Created { .. }), "{answer:?}");
    assert_eq!(scene.leave(), 0);
    assert_eq!(
        names(&scene),
        ["second"],
        "an upload without its end left something"
    );
}

fn outside(identity: Identity) {
    let mut scene = Scene::logged_in(identity);
    let secret = scene.home.parent().unwrap().join("auth");
    let links = [
        ("up", ".."),
        ("far", "../../../../../.."),
        ("absolute", secret.to_str().unwrap()),
        ("proc", "/proc/self/root"),
    ];
    for (name, target) in links {
        std::os::unix::fs::symlink(target, scene.home.join(name)).unwrap();
    }
    let identities = [&secret, Path::new("/etc/passwd")].map(identity_of);
    let before = [&secret, Path::new("/etc/passwd")].map(changed);
    let whole = secret.to_str().unwrap();
    for text in [
        "/up/auth",
        "/absolute",
        "/far/etc/passwd",
        "/proc/etc/passwd",
        whole,
        "/etc/passwd",
    ] {
        let (answer, descriptor) = scene.ask(&FileRequest::Open { path: path(text) });
        assert!(
            matches!(answer, FileAnswer::Failed { .. }),
            "{text}: {answer:?}"
        );
        assert!(descriptor.is_none(), "{text}");
        // A link upwards ends at the root, so that a file may come about there: never the one outside.
        let create = FileRequest::Create {
            path: path(text),
            at: UploadAt::Append,
            continuable: true,
            declared: None,
        };
        if let (_, Some(descriptor)) = scene.ask(&create) {
            let made = std::fs::File::from(descriptor).metadata().unwrap();
            assert!(!identities.contains(&(made.dev(), made.ino())), "{text}");
        }
        scene.ask(&FileRequest::Discard);
        for request in [
            FileRequest::SetMode {
                path: path(text),
                mode: Permissions::of(0o777),
            },
            FileRequest::SetTimes {
                path: path(text),
                modified: 1,
                accessed: None,
            },
            FileRequest::Symlink {
                target: path(text),
                link: path("/link"),
            },
        ] {
            let (answer, _) = scene.ask(&request);
            assert!(
                matches!(answer, FileAnswer::Failed { .. }),
                "{request:?}: {answer:?}"
            );
        }
    }
    assert_eq!([&secret, Path::new("/etc/passwd")].map(changed), before);
    assert_eq!(
        [&secret, Path::new("/etc/passwd")].map(identity_of),
        identities
    );
}

/// What a file is, whatever it is called.
fn identity_of(file: &Path) -> (u64, u64) {
    let metadata = std::fs::metadata(file).unwrap();
    (metadata.dev(), metadata.ino())
}

/// When a file's mode, times or content last changed.
fn changed(file: &Path) -> (i64, i64) {
    let metadata = std::fs::metadata(file).unwrap();
    (metadata.ctime(), metadata.ctime_nsec())
}
