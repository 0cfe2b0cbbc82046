//! Tests of broken uploads: what is kept of them, for whom, and how it goes away.

use super::*;
use Disposition::{Append, At, New, Overwrite, Replace};
use nix::unistd::write;
use std::time::SystemTime;

/// A jail that keeps broken uploads for an hour and takes files of a thousand octets.
fn keeping() -> Place {
    let place = Place::new();
    let jail = jail_at(&place.inside("")).with_terms(Terms {
        largest: Some(1000),
        keep: Duration::from_secs(3600),
        locks: Locks::None,
    });
    Place { jail, ..place }
}

impl Place {
    fn start(&self, name: &str, at: Disposition) -> Result<Upload, Failure> {
        let wanted = Wanted {
            continuable: Continuable::Yes,
            ..at.into()
        };
        self.jail.create(&path(name), wanted)
    }

    /// An upload that breaks.
    fn break_off(&self, name: &str, text: &str) {
        let upload = self.start(name, Replace).unwrap();
        write(upload.descriptor(), text.as_bytes()).unwrap();
        upload.suspend();
    }

    fn unfinished(&self, name: &str) -> Result<u64, Failure> {
        self.jail.unfinished(&path(name))
    }

    fn age(&self, name: &str, age: Duration) {
        let file = fs::File::options().write(true).open(self.inside(name));
        file.unwrap().set_modified(SystemTime::now() - age).unwrap();
    }
}

#[test]
fn a_broken_upload_is_continued_where_the_client_is_told() {
    for at in [At(4), Append] {
        let place = keeping();
        place.break_off("/file", "01234");
        // The last octet does not count: a client that has no more to send would think that all is well.
        assert_eq!(place.unfinished("/file"), Ok(4));
        let upload = place.start("/file", at).unwrap();
        assert_eq!(upload.start(), 4);
        write(upload.descriptor(), b"456789").unwrap();
        assert!(!place.inside("file").exists());
        assert_eq!(upload.commit(Strict), Ok(10));
        assert_eq!(place.read("file"), "0123456789");
        assert_eq!(place.names(), ["file"]);
        assert_eq!(place.unfinished("/file"), Err(Failure::NotFound));
    }
}

#[test]
fn what_is_left_behind_the_end_of_a_continued_upload_is_cut_off() {
    let place = keeping();
    place.break_off("/file", "0123456789");
    let upload = place.start("/file", At(2)).unwrap();
    write(upload.descriptor(), b"ab").unwrap();
    assert_eq!(upload.commit(Strict), Ok(4));
    assert_eq!(place.read("file"), "01ab");
}

#[test]
fn a_broken_replacement_is_never_mixed_with_the_old_file() {
    let place = keeping();
    place.write("file", "the old text");
    place.break_off("/file", "abcdef");
    assert_eq!(
        place.start("/file", Append).err(),
        Some(Failure::Unfinished)
    );
    assert_eq!(place.start("/file", At(6)).err(), Some(Failure::BadOffset));
    let upload = place.start("/file", At(3)).unwrap();
    write(upload.descriptor(), b"DEF").unwrap();
    assert_eq!(place.read("file"), "the old text");
    upload.commit(Strict).unwrap();
    assert_eq!(place.read("file"), "abcDEF");
    // Begun anew, the one before is forgotten.
    place.break_off("/file", "xyz");
    let upload = place.start("/file", Replace).unwrap();
    write(upload.descriptor(), b"new").unwrap();
    upload.commit(Strict).unwrap();
    assert_eq!(place.read("file"), "new");
    assert_eq!(place.names(), ["file"]);
}

#[test]
fn a_partial_is_private_and_goes_with_its_name() {
    let place = keeping();
    place.break_off("/file", "abc");
    let [hidden] = place.names().try_into().unwrap();
    let mode = fs::metadata(place.inside(&hidden)).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o600);
    assert_eq!(
        place.jail.stat(&path("/file")).err(),
        Some(Failure::NotFound)
    );
    let hidden = format!("/{hidden}");
    assert_eq!(
        place.jail.open(&path(&hidden)).err(),
        Some(Failure::NotFound)
    );
    assert_eq!(place.jail.remove(&path("/file"), Strict), Ok(()));
    assert_eq!(place.names(), [""; 0]);
    assert_eq!(
        place.jail.remove(&path("/file"), Strict),
        Err(Failure::NotFound)
    );
}

#[test]
fn what_cannot_be_continued_is_not_kept() {
    let place = keeping();
    let whole = place.jail.create(&path("/text"), Replace).unwrap();
    write(whole.descriptor(), b"0123").unwrap();
    whole.suspend();
    place.start("/none", Replace).unwrap().suspend();
    place.break_off("/one", "1");
    let upload = place.start("/dropped", Replace).unwrap();
    write(upload.descriptor(), b"0123").unwrap();
    upload.discard();
    assert_eq!(place.names(), [""; 0]);
    // Nor is anything where the setting says so.
    let place = Place::new();
    place.break_off("/file", "0123");
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn two_writers_of_one_name_never_mix() {
    let place = keeping();
    let first = place.start("/file", Replace).unwrap();
    let second = place.start("/file", Replace).unwrap();
    assert_eq!(place.start("/file", At(1)).err(), Some(Failure::Busy));
    assert_eq!(place.start("/file", Append).err(), Some(Failure::Busy));
    assert_eq!(place.unfinished("/file"), Err(Failure::NotFound));
    for (upload, text) in [(&first, b"first"), (&second, b"other")] {
        write(upload.descriptor(), text).unwrap();
    }
    assert_eq!(first.commit(Strict), Ok(5));
    assert_eq!(place.read("file"), "first");
    assert_eq!(second.commit(Strict), Ok(5));
    assert_eq!(place.read("file"), "other");
    // In place, the second has to wait, whatever the settings.
    let first = place.start("/file", Append).unwrap();
    for at in [Append, At(1), Overwrite] {
        assert_eq!(place.start("/file", at).err(), Some(Failure::Busy));
    }
    // And what was replaced meanwhile was not written on.
    let replacing = place.start("/file", Replace).unwrap();
    replacing.commit(Strict).unwrap();
    assert_eq!(first.commit(Strict).err(), Some(Failure::Busy));
    assert_eq!(place.read("file"), "");
}

#[test]
fn leftovers_expire() {
    let place = keeping();
    place.break_off("/file", "abc");
    let [hidden] = place.names().try_into().unwrap();
    place.age(&hidden, Duration::from_secs(3700));
    assert_eq!(place.unfinished("/file"), Err(Failure::NotFound));
    assert_eq!(place.names(), [""; 0]);
    // Those of a process that was killed, whatever their names were to be, when the next upload comes.
    let dead = ".ftpd-00112233445566778899aabbccddeeff.part";
    let young = ".ftpd-ffeeddccbbaa99887766554433221100.part";
    for name in [dead, young] {
        place.write(name, "dead");
        fs::set_permissions(place.inside(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    place.age(dead, Duration::from_secs(3700));
    let other = jail_at(&place.inside("")).with_terms(place.jail.terms);
    other.create(&path("/new"), New).unwrap().discard();
    assert_eq!(place.names(), [young]);
}

#[test]
fn leftovers_are_no_obstacle_to_the_removal_of_a_directory() {
    let place = keeping();
    fs::create_dir(place.inside("dir")).unwrap();
    let remove = || place.jail.remove_dir(&path("/dir"), Strict);
    place.break_off("/dir/file", "abc");
    place.write("dir/visible", "");
    assert_eq!(remove(), Err(Failure::NotEmpty));
    assert_eq!(place.unfinished("/dir/file"), Ok(2));
    fs::remove_file(place.inside("dir/visible")).unwrap();
    let running = place.start("/dir/other", Replace).unwrap();
    assert_eq!(remove(), Err(Failure::NotEmpty));
    running.discard();
    assert_eq!(remove(), Ok(()));
    assert!(!place.inside("dir").exists());
}

#[test]
fn a_hidden_file_of_somebody_else_is_not_touched() {
    let place = keeping();
    place.break_off("/file", "abc");
    let [hidden] = place.names().try_into().unwrap();
    let secret = place.outside("secret");
    for foreign in ["readable", "linked", "link"] {
        fs::remove_file(place.inside(&hidden)).unwrap();
        match foreign {
            "readable" => place.write(&hidden, "planted"),
            "linked" => fs::hard_link(&secret, place.inside(&hidden)).unwrap(),
            _ => symlink(&secret, place.inside(&hidden)).unwrap(),
        }
        assert_eq!(
            place.unfinished("/file"),
            Err(Failure::NotFound),
            "{foreign}"
        );
        let upload = place.start("/file", Replace).unwrap();
        write(upload.descriptor(), b"new").unwrap();
        upload.commit(Strict).unwrap();
        assert_eq!(place.read("file"), "new");
        fs::remove_file(place.inside("file")).unwrap();
        assert_eq!(place.names(), [hidden.as_str()], "{foreign}");
    }
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
}

#[test]
fn no_file_gets_larger_than_it_may() {
    let place = keeping();
    let declared = |declared| {
        let wanted = Wanted {
            declared: Some(declared),
            ..Replace.into()
        };
        place.jail.create(&path("/new"), wanted)
    };
    assert_eq!(declared(1001).err(), Some(Failure::TooLarge));
    assert_eq!(declared(1000).unwrap().room(), Some(1000));
    place.write("file", &"x".repeat(990));
    let upload = place.start("/file", Append).unwrap();
    assert_eq!(upload.room(), Some(10));
    // The other half does not keep to it.
    write(upload.descriptor(), &[b'y'; 11]).unwrap();
    assert_eq!(upload.commit(Strict), Err(Failure::TooLarge));
    assert_eq!(place.read("file"), "x".repeat(990));
    let upload = place.start("/file", Replace).unwrap();
    write(upload.descriptor(), &[b'y'; 1001]).unwrap();
    assert_eq!(upload.commit(Strict), Err(Failure::TooLarge));
    assert_eq!(place.read("file"), "x".repeat(990));
    assert_eq!(place.names(), ["file"]);
    place.write("file", &"x".repeat(1001));
    assert_eq!(place.start("/file", Append).err(), Some(Failure::TooLarge));
}

#[test]
fn what_is_declared_must_fit_on_the_disk() {
    let place = Place::new();
    let wanted = Wanted {
        declared: Some(u64::MAX),
        ..Replace.into()
    };
    let created = place.jail.create(&path("/new"), wanted);
    assert_eq!(created.err(), Some(Failure::NoSpace));
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn without_durability_a_file_is_written_under_its_own_name() {
    let place = keeping();
    place.write("file", "the old text");
    let upload = place.start("/file", Overwrite).unwrap();
    write(upload.descriptor(), b"new").unwrap();
    assert_eq!(place.read("file"), "new");
    assert_eq!(place.start("/file", Overwrite).err(), Some(Failure::Busy));
    assert_eq!(upload.commit(Off), Ok(3));
    let upload = place.start("/fresh", Overwrite).unwrap();
    let mode = fs::metadata(place.inside("fresh")).unwrap().mode();
    assert_eq!(mode & 0o7777, 0o640);
    upload.suspend();
    assert_eq!(place.names(), ["file", "fresh"]);
    symlink("file", place.inside("link")).unwrap();
    assert_eq!(place.start("/link", Overwrite).err(), Some(Failure::Loop));
}
