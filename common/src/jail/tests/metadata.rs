//! Modes, times and links: what is changed, and above all what is not.

use super::*;
use crate::jail::metadata::change_opened;

fn mode_of(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o7777
}

fn permissions(bits: u16) -> Permissions {
    Permissions::new(bits).unwrap()
}

#[test]
fn the_mode_of_files_and_directories_is_changed() {
    let place = Place::new();
    place.write("file", "");
    fs::create_dir(place.inside("sub")).unwrap();
    for (name, bits) in [
        ("file", 0o640),
        ("file", 0),
        ("file", 0o755),
        ("sub", 0o700),
    ] {
        place
            .jail
            .set_mode(&path(name), permissions(bits), Strict)
            .unwrap();
        assert_eq!(mode_of(&place.inside(name)), u32::from(bits));
    }
}

#[test]
fn setuid_and_its_like_do_not_survive() {
    let place = Place::new();
    place.write("file", "");
    let special = fs::Permissions::from_mode(0o6755);
    fs::set_permissions(place.inside("file"), special).unwrap();
    place
        .jail
        .set_mode(&path("file"), permissions(0o755), Strict)
        .unwrap();
    assert_eq!(mode_of(&place.inside("file")), 0o755);
}

#[test]
fn older_kernels_change_the_mode_by_a_descriptor() {
    let place = Place::new();
    place.write("file", "");
    place.write("unreadable", "");
    fs::set_permissions(
        place.inside("unreadable"),
        fs::Permissions::from_mode(0o200),
    )
    .unwrap();
    fs::create_dir(place.inside("sub")).unwrap();
    symlink("file", place.inside("link")).unwrap();
    let change = |name: &str, bits: u16| {
        let mode = Mode::from_bits_truncate(bits.into());
        let name = path(name);
        change_opened(&place.jail.place(&name).unwrap().unwrap(), mode)
    };
    for (name, bits) in [("file", 0o604), ("unreadable", 0o644), ("sub", 0o711)] {
        change(name, bits).unwrap();
        assert_eq!(mode_of(&place.inside(name)), u32::from(bits));
    }
    assert_eq!(change("link", 0o777), Err(Failure::Loop));
    assert_eq!(mode_of(&place.inside("file")), 0o604);
}

#[test]
fn times_are_changed_in_whole_seconds_and_told_as_they_became() {
    let place = Place::new();
    place.write("file", "");
    let set = |modified, accessed| {
        place
            .jail
            .set_times(&path("file"), modified, accessed, Strict)
    };
    let found = || {
        let metadata = fs::metadata(place.inside("file")).unwrap();
        (metadata.mtime(), metadata.mtime_nsec(), metadata.atime())
    };
    assert_eq!(set(1_000_000_000, Some(999)), Ok(1_000_000_000));
    assert_eq!(found(), (1_000_000_000, 0, 999));
    assert_eq!(set(5, None), Ok(5));
    assert_eq!(found(), (5, 0, 999));
    assert_eq!(set(-1, None), Ok(-1));
    assert_eq!(found(), (-1, 0, 999));
}

#[test]
fn nothing_is_changed_through_a_link() {
    let place = Place::new();
    place.write("file", "");
    symlink("file", place.inside("inside")).unwrap();
    symlink("../outside/secret", place.inside("out")).unwrap();
    symlink("../outside", place.inside("dir")).unwrap();
    let before = |file: &Path| (mode_of(file), fs::metadata(file).unwrap().mtime());
    let files = [place.inside("file"), place.outside("secret")];
    let were = files.each_ref().map(|file| before(file));
    for name in ["inside", "out", "dir"] {
        let (path, mode) = (path(name), permissions(0o777));
        assert_eq!(
            place.jail.set_mode(&path, mode, Strict),
            Err(Failure::Special)
        );
        assert_eq!(
            place.jail.set_times(&path, 1, Some(1), Strict),
            Err(Failure::Special)
        );
    }
    let through = path("dir/secret");
    let mode = place.jail.set_mode(&through, permissions(0o777), Strict);
    let times = place.jail.set_times(&through, 1, None, Strict);
    assert!(mode.is_err() && times.is_err(), "{mode:?} {times:?}");
    assert_eq!(files.each_ref().map(|file| before(file)), were);
}

#[test]
fn the_root_pipes_and_hidden_uploads_are_left_alone() {
    let place = Place::new();
    let _listener = UnixListener::bind(place.inside("socket")).unwrap();
    place.write(".ftpd-0123456789abcdef.part", "");
    for (name, why) in [
        ("/", Failure::Denied),
        ("socket", Failure::Special),
        ("none", Failure::NotFound),
        (".ftpd-0123456789abcdef.part", Failure::NotFound),
    ] {
        let mode = permissions(0o700);
        assert_eq!(
            place.jail.set_mode(&path(name), mode, Strict),
            Err(why),
            "{name}"
        );
        assert_eq!(place.jail.set_times(&path(name), 1, None, Strict), Err(why));
    }
}

#[test]
fn a_file_swapped_for_a_link_takes_nothing_outside_with_it() {
    let place = Place::new();
    place.write("real", "");
    let (name, link) = (place.inside("name"), place.inside("link"));
    symlink("../outside/secret", &link).unwrap();
    fs::hard_link(place.inside("real"), &name).unwrap();
    let secret = place.outside("secret");
    let were = (mode_of(&secret), fs::metadata(&secret).unwrap().mtime());
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                // Whichever has the name loses it to the other.
                let exchange = RenameFlags::RENAME_EXCHANGE;
                renameat2(
                    nix::fcntl::AT_FDCWD,
                    &name,
                    nix::fcntl::AT_FDCWD,
                    &link,
                    exchange,
                )
                .unwrap();
            }
        });
        for _ in 0..2000 {
            let _ = place
                .jail
                .set_mode(&path("name"), permissions(0o777), Strict);
            let _ = place.jail.set_times(&path("name"), 1, Some(1), Off);
            let name = path("name");
            let opened = place.jail.place(&name).unwrap().unwrap();
            let _ = change_opened(&opened, Mode::from_bits_truncate(0o777));
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(
        (mode_of(&secret), fs::metadata(&secret).unwrap().mtime()),
        were
    );
    assert_eq!(mode_of(&place.inside("real")), 0o777);
}

#[test]
fn the_umask_of_a_session_can_be_changed() {
    let place = Place::new();
    assert_eq!(place.jail.umask(), permissions(0o027));
    place.jail.set_umask(permissions(0o077));
    place.jail.make_dir(&path("dir"), Rename).unwrap();
    assert_eq!(mode_of(&place.inside("dir")), 0o700);
    place
        .jail
        .create(&path("file"), Disposition::Replace)
        .unwrap()
        .commit(Rename)
        .unwrap();
    assert_eq!(mode_of(&place.inside("file")), 0o600);
}

#[test]
fn links_are_relative_and_mean_the_same_outside() {
    let place = Place::new();
    place.write("file", "content");
    fs::create_dir_all(place.inside("a/b")).unwrap();
    place.write("a/inner", "inner");
    for (target, link, stored) in [
        ("/file", "/here", "file"),
        ("/file", "/a/b/up", "../../file"),
        ("/a/inner", "/a/b/sibling", "../inner"),
        ("/a/inner", "/down", "a/inner"),
        ("/a", "/a/b/parent", ".."),
        ("/", "/a/b/root", "../.."),
    ] {
        for durability in [Rename, Strict] {
            let _ = fs::remove_file(place.inside(&link[1..]));
            place
                .jail
                .symlink(&path(target), &path(link), durability)
                .unwrap();
        }
        let link = place.inside(&link[1..]);
        assert_eq!(fs::read_link(&link).unwrap(), Path::new(stored));
        assert_eq!(
            fs::canonicalize(&link).unwrap(),
            fs::canonicalize(place.inside(&target[1..])).unwrap()
        );
    }
    assert_eq!(content(&place.jail, "/a/b/up"), Ok("content".to_owned()));
}

#[test]
fn a_link_is_not_made_where_it_could_lead_out() {
    let place = Place::new();
    place.write("file", "");
    fs::create_dir_all(place.inside("a/b")).unwrap();
    symlink("../outside", place.inside("out")).unwrap();
    symlink("/a", place.inside("absolute")).unwrap();
    // Deep by its name, and the root in truth: `..` would climb out of it.
    symlink("../..", place.inside("a/b/deep")).unwrap();
    symlink("loop", place.inside("loop")).unwrap();
    for (target, link) in [
        ("/out", "/new"),
        ("/out/secret", "/new"),
        ("/absolute/b", "/new"),
        ("/loop", "/new"),
        ("/missing", "/new"),
        ("/etc/passwd", "/new"),
        ("/file", "/a/b/deep/new"),
        ("/file", "/out/new"),
        ("/file", "/loop/new"),
        ("/file", "/missing/new"),
        ("/file", "/file"),
        ("/file", "/"),
        ("/file", "/loop"),
        ("/file", "/.ftpd-0123456789abcdef.part"),
    ] {
        let made = place.jail.symlink(&path(target), &path(link), Strict);
        assert!(made.is_err(), "{target} as {link}");
    }
    assert_eq!(place.names(), ["a", "absolute", "file", "loop", "out"]);
    assert_eq!(fs::read_dir(place.outside("")).unwrap().count(), 1);
}

#[test]
fn a_link_below_a_directory_that_is_a_link_may_stay_beside_its_target() {
    let place = Place::new();
    fs::create_dir(place.inside("real")).unwrap();
    place.write("real/file", "");
    symlink("real", place.inside("other")).unwrap();
    place
        .jail
        .symlink(&path("/other/file"), &path("/other/new"), Rename)
        .unwrap();
    assert_eq!(
        fs::read_link(place.inside("real/new")).unwrap(),
        Path::new("file")
    );
}
