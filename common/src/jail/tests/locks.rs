//! Tests of locks: who is refused, who is warned, and what is intact afterwards.

use super::*;
use Disposition::{Append, At, Overwrite, Replace};

fn locking(locks: Locks) -> Place {
    let place = Place::new();
    let jail = jail_at(&place.inside("")).with_terms(Terms {
        largest: None,
        keep: Duration::ZERO,
        locks,
    });
    place.write("file", "text");
    Place { jail, ..place }
}

const ALL: [Locks; 4] = [
    Locks::None,
    Locks::Advisory,
    Locks::Mandatory,
    Locks::MandatoryWrite,
];
const REFUSED: Result<bool, Failure> = Err(Failure::Busy);
const WARNED: Result<bool, Failure> = Ok(true);
const WELCOME: Result<bool, Failure> = Ok(false);

impl Place {
    fn reads(&self) -> Result<bool, Failure> {
        Ok(self.jail.open(&path("/file"))?.contested)
    }

    fn writes(&self, at: Disposition) -> Result<bool, Failure> {
        let upload = self.jail.create(&path("/file"), at)?;
        Ok(upload.is_contested())
    }
}

#[test]
fn readers_share_and_writers_are_alone() {
    let reads = [WELCOME, WARNED, REFUSED, WARNED];
    let writes = [WELCOME, WARNED, REFUSED, REFUSED];
    for ((locks, read), write) in ALL.into_iter().zip(reads).zip(writes) {
        let place = locking(locks);
        let reader = place.jail.open(&path("/file")).unwrap();
        assert_eq!(place.reads(), WELCOME, "{locks:?}");
        for at in [Replace, Append, At(1)] {
            assert_eq!(place.writes(at), write, "{locks:?} {at:?}");
        }
        if write == REFUSED {
            assert_eq!(place.writes(Overwrite), REFUSED);
        }
        assert_eq!(place.read("file"), "text", "{locks:?}");
        drop(reader);
        let writer = place.jail.create(&path("/file"), Replace).unwrap();
        assert!(!writer.is_contested());
        assert_eq!(place.reads(), read, "{locks:?}");
        assert_eq!(place.writes(Replace), write, "{locks:?}");
        drop(writer);
        assert_eq!(place.writes(Replace), WELCOME, "{locks:?}");
        let writer = place.jail.create(&path("/file"), Append).unwrap();
        assert_eq!(place.reads(), read, "{locks:?}");
        assert_eq!(place.writes(Replace), write, "{locks:?}");
        drop(writer);
        assert_eq!(place.names(), ["file"]);
    }
}

#[test]
fn a_name_that_is_new_can_be_locked_too() {
    let writes = [WELCOME, WARNED, REFUSED, REFUSED];
    for (locks, write) in ALL.into_iter().zip(writes) {
        let place = locking(locks);
        fs::remove_file(place.inside("file")).unwrap();
        let writer = place.jail.create(&path("/file"), Replace).unwrap();
        assert_eq!(place.writes(Replace), write, "{locks:?}");
        writer.commit(Strict).unwrap();
        assert_eq!(place.writes(Replace), WELCOME, "{locks:?}");
        assert_eq!(place.names(), ["file"]);
    }
}

#[test]
fn a_lock_travels_with_the_descriptor() {
    let place = locking(Locks::Mandatory);
    let writer = place.jail.create(&path("/file"), Append).unwrap();
    let copy = writer.descriptor().try_clone_to_owned().unwrap();
    drop(writer);
    assert_eq!(place.writes(Append), REFUSED);
    assert_eq!(place.reads(), REFUSED);
    drop(copy);
    assert_eq!(place.reads(), WELCOME);
}
