//! Tests of uploads: what is on the disk before, during and after.

use super::*;
use Disposition::{Append, At, New, Replace};
use nix::unistd::write;

impl Place {
    fn begin(&self, name: &str, disposition: Disposition) -> Result<Upload, Failure> {
        self.jail.create(&path(name), disposition)
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.inside(name)).unwrap().mode() & 0o7777
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.inside(name), fs::Permissions::from_mode(mode)).unwrap();
    }
}

#[test]
fn an_upload_appears_when_it_is_committed() {
    let place = Place::new();
    for durability in [Strict, Rename] {
        place.write("file", "old");
        let upload = place.begin("/file", Replace).unwrap();
        assert_eq!(upload.start(), 0);
        write(upload.descriptor(), b"new text").unwrap();
        assert_eq!(place.read("file"), "old");
        assert_eq!(place.names().len(), 2);
        assert_eq!(upload.commit(durability), Ok(8));
        assert_eq!(place.read("file"), "new text");
        assert_eq!(place.names(), ["file"]);
    }
}

#[test]
fn an_upload_that_is_given_up_leaves_nothing() {
    let place = Place::new();
    place.write("file", "old");
    for name in ["/file", "/fresh"] {
        place.begin(name, Replace).unwrap().discard();
        drop(place.begin(name, Replace).unwrap());
        drop(place.begin("/fresh", Append).unwrap());
    }
    assert_eq!(place.names(), ["file"]);
    assert_eq!(place.read("file"), "old");
}

#[test]
fn a_commit_that_fails_leaves_the_old_file() {
    let place = Place::new();
    let upload = place.begin("/target", Replace).unwrap();
    // Meanwhile somebody makes a directory of that name.
    fs::create_dir(place.inside("target")).unwrap();
    assert_eq!(upload.commit(Strict), Err(Failure::IsADirectory));
    assert_eq!(place.names(), ["target"]);
    // And here the hidden file is stolen.
    place.write("file", "old");
    let upload = place.begin("/file", Replace).unwrap();
    fs::remove_file(place.inside(&place.names()[0])).unwrap();
    assert_eq!(upload.commit(Strict), Err(Failure::NotFound));
    assert_eq!(place.read("file"), "old");
}

#[test]
fn hidden_names_have_their_form() {
    let place = Place::new();
    let _upload = place.begin("/file", Replace).unwrap();
    let name = place.names()[0].clone();
    let digits = name
        .strip_prefix(".ftpd-")
        .and_then(|n| n.strip_suffix(".part"));
    let digits = digits.unwrap();
    assert_eq!(digits.len(), 32);
    assert!(digits.bytes().all(|d| d.is_ascii_hexdigit()), "{name}");
}

#[test]
fn modes_come_from_the_umask_or_the_replaced_file() {
    let place = Place::new();
    place
        .begin("/fresh", Replace)
        .unwrap()
        .commit(Rename)
        .unwrap();
    assert_eq!(place.mode("fresh"), 0o640);
    for (before, after) in [(0o600, 0o600), (0o666, 0o666), (0o6755, 0o755)] {
        place.write("old", "");
        place.set_mode("old", before);
        let upload = place.begin("/old", Replace).unwrap();
        let hidden = place.names()[0].clone();
        // Nobody else reads what is not whole.
        assert_eq!(place.mode(&hidden), 0o600);
        upload.commit(Rename).unwrap();
        assert_eq!(place.mode("old"), after);
    }
}

#[test]
fn a_write_protected_file_stays() {
    let place = Place::new();
    place.write("file", "old");
    place.set_mode("file", 0o444);
    let replaced = place
        .begin("/file", Replace)
        .map(|upload| upload.commit(Rename));
    if nix::unistd::geteuid().is_root() {
        assert_eq!(replaced.unwrap(), Ok(0));
        assert_eq!(place.mode("file"), 0o444);
    } else {
        assert_eq!(replaced.err(), Some(Failure::Denied));
        assert_eq!(place.read("file"), "old");
    }
}

#[test]
fn another_name_of_a_replaced_file_keeps_the_old_text() {
    let place = Place::new();
    place.write("one", "old");
    fs::hard_link(place.inside("one"), place.inside("two")).unwrap();
    let upload = place.begin("/one", Replace).unwrap();
    write(upload.descriptor(), b"new").unwrap();
    upload.commit(Rename).unwrap();
    assert_eq!(
        (place.read("one"), place.read("two")),
        ("new".into(), "old".into())
    );
}

#[test]
fn a_link_is_replaced_and_never_written_through() {
    let place = Place::new();
    place.write("file", "kept");
    for (link, target) in [
        ("inside", "file".into()),
        ("outside", place.outside("secret")),
        ("dangling", "none".into()),
    ] {
        symlink(target, place.inside(link)).unwrap();
        assert_eq!(place.begin(link, Append).err(), Some(Failure::Loop));
        assert_eq!(place.begin(link, At(1)).err(), Some(Failure::Loop));
        let upload = place.begin(link, Replace).unwrap();
        write(upload.descriptor(), b"new").unwrap();
        upload.commit(Rename).unwrap();
        assert!(fs::symlink_metadata(place.inside(link)).unwrap().is_file());
    }
    assert_eq!(place.read("file"), "kept");
    assert_eq!(
        fs::read_to_string(place.outside("secret")).unwrap(),
        "secret"
    );
    assert!(!place.inside("none").exists());
}

#[test]
fn a_link_to_a_directory_leads_to_a_place_inside() {
    let place = Place::new();
    fs::create_dir(place.inside("dir")).unwrap();
    symlink("/dir", place.inside("link")).unwrap();
    place
        .begin("/link/file", Replace)
        .unwrap()
        .commit(Rename)
        .unwrap();
    assert_eq!(place.read("dir/file"), "");
}

#[test]
fn appending_continues_in_place() {
    let place = Place::new();
    place.write("file", "begin");
    let upload = place.begin("/file", Append).unwrap();
    assert_eq!(upload.start(), 5);
    write(upload.descriptor(), b", end").unwrap();
    assert_eq!(upload.commit(Strict), Ok(10));
    assert_eq!(place.read("file"), "begin, end");
    // A broken one keeps what it has got, so that it can be continued.
    let upload = place.begin("/file", Append).unwrap();
    write(upload.descriptor(), b"!").unwrap();
    upload.discard();
    assert_eq!(place.read("file"), "begin, end!");
    // What is not there begins as any other upload.
    let upload = place.begin("/fresh", Append).unwrap();
    assert_eq!(place.names().len(), 2);
    assert!(!place.inside("fresh").exists());
    assert_eq!(upload.commit(Strict), Ok(0));
    assert_eq!(place.names(), ["file", "fresh"]);
}

#[test]
fn a_restarted_upload_ends_the_file_where_it_ends() {
    let place = Place::new();
    place.write("file", "0123456789");
    let upload = place.begin("/file", At(4)).unwrap();
    assert_eq!(upload.start(), 4);
    write(upload.descriptor(), b"ab").unwrap();
    assert_eq!(place.read("file"), "0123ab6789");
    assert_eq!(upload.commit(Strict), Ok(6));
    assert_eq!(place.read("file"), "0123ab");
    // At the very end it only grows, and a broken one is not cut.
    let upload = place.begin("/file", At(6)).unwrap();
    write(upload.descriptor(), b"c").unwrap();
    upload.discard();
    assert_eq!(place.read("file"), "0123abc");
    let upload = place.begin("/file", At(2)).unwrap();
    upload.discard();
    assert_eq!(place.read("file"), "0123abc");
}

#[test]
fn offsets_beyond_the_file_are_refused() {
    let place = Place::new();
    place.write("file", "0123");
    assert_eq!(place.begin("/file", At(5)).err(), Some(Failure::BadOffset));
    assert_eq!(
        place.begin("/file", At(u64::MAX)).err(),
        Some(Failure::BadOffset)
    );
    assert_eq!(place.begin("/none", At(5)).err(), Some(Failure::NotFound));
    assert_eq!(place.read("file"), "0123");
    // From 0 on it is a whole upload, which replaces the file at its end.
    let upload = place.begin("/file", At(0)).unwrap();
    write(upload.descriptor(), b"x").unwrap();
    assert_eq!(place.read("file"), "0123");
    assert_eq!(upload.commit(Strict), Ok(1));
    assert_eq!(place.begin("/fresh", At(0)).unwrap().commit(Strict), Ok(0));
}

#[test]
fn directories_cannot_be_uploaded_to() {
    let place = Place::new();
    fs::create_dir(place.inside("dir")).unwrap();
    for disposition in [Replace, Append, At(1), At(0)] {
        for name in ["/dir", "/"] {
            let begun = place.begin(name, disposition);
            assert_eq!(
                begun.err(),
                Some(Failure::IsADirectory),
                "{name} {disposition:?}"
            );
        }
    }
}

#[test]
fn a_unique_upload_replaces_nothing() {
    let place = Place::new();
    place.write("taken", "old");
    assert_eq!(place.begin("/taken", New).unwrap_err(), Failure::Exists);
    let upload = place.begin("/name", New).unwrap();
    write(upload.descriptor(), b"new").unwrap();
    // Somebody else comes to the same name first.
    place.write("name", "first");
    assert_eq!(upload.commit(Rename), Err(Failure::Exists));
    assert_eq!(place.read("name"), "first");
    assert_eq!(place.names(), ["name", "taken"]);
    let upload = place.begin("/free", New).unwrap();
    write(upload.descriptor(), b"new").unwrap();
    assert_eq!(upload.commit(Rename), Ok(3));
}
