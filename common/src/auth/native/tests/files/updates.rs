//! What becomes of a stored password when its user logs in.

use super::*;

/// Logs fred in and updates the password; returns what happened and the file.
fn update_to(line: &str, scheme: Scheme) -> (Result<Updated, NativeError>, Scene) {
    let scene = Scene::new(format!("ann:null:::nobody:/srv:\n{line}\nbob:broken\n"));
    let record = scene.find("fred").unwrap();
    assert_eq!(record.verify(&secret("hunter2")), Ok(Verdict::Accept));
    let updated = update(&scene.file, &record, scheme, CHEAP, &secret("hunter2"));
    (updated, scene)
}

#[test]
fn a_password_is_kept_in_the_new_way_and_still_right() {
    for (word, hex) in OLD {
        let line = format!("Fred:{word}:0a1b2c:{hex}:daemon:/srv/fred:Idle=5 ChShare=/a:b");
        let (updated, scene) = update_to(&line, Scheme::Argon2id);
        assert_eq!(updated.unwrap(), Updated::Stronger, "{word}");
        let record = scene.find("FRED").unwrap();
        assert_eq!(record.stored().scheme(), Scheme::Argon2id);
        assert_eq!(record.verify(&secret("hunter2")), Ok(Verdict::Accept));
        assert_eq!(record.verify(&secret("hunter3")), Ok(Verdict::Refuse));
        let text = scene.text();
        assert!(
            text.starts_with("ann:null:::nobody:/srv:\nFred:argon2id::$"),
            "{text}"
        );
        assert!(
            text.ends_with(":daemon:/srv/fred:Idle=5 ChShare=/a:b\nbob:broken\n"),
            "{text}"
        );
        let again = update(
            &scene.file,
            &record,
            Scheme::Argon2id,
            CHEAP,
            &secret("hunter2"),
        );
        assert_eq!(again.unwrap(), Updated::Nothing);
        assert_eq!(scene.text(), text);
    }
}

#[test]
fn a_dearer_hash_stays_and_a_cheaper_one_goes() {
    let (updated, scene) = update_to(
        &format!("fred:argon2id::{PHC}:nobody:/srv:"),
        Scheme::Argon2id,
    );
    assert_eq!(updated.unwrap(), Updated::Nothing);
    let record = scene.find("fred").unwrap();
    let dear = Cost {
        memory: 20_000,
        passes: 2,
        lanes: 1,
    };
    let updated = update(
        &scene.file,
        &record,
        Scheme::Argon2id,
        dear,
        &secret("hunter2"),
    );
    assert_eq!(updated.unwrap(), Updated::Stronger);
    assert_eq!(scene.find("fred").unwrap().stored().cost(), Some(dear));
}

#[test]
fn what_becomes_weaker_is_told() {
    let line = format!("Fred:sha512:0a1b2c:{}:nobody:/srv:", OLD[5].1);
    let (updated, scene) = update_to(&line, Scheme::Md5);
    assert_eq!(updated.unwrap(), Updated::Weaker);
    let record = scene.find("fred").unwrap();
    assert_eq!(record.verify(&secret("hunter2")), Ok(Verdict::Accept));
}

#[test]
fn a_user_without_a_password_gets_none() {
    for scheme in all() {
        let (updated, scene) = update_to("fred:null:::nobody:/srv:", scheme);
        assert_eq!(updated.unwrap(), Updated::Nothing);
        assert!(scene.text().contains("\nfred:null:::nobody:/srv:\n"));
    }
}

#[test]
fn the_password_of_a_challenge_stays_as_it_is() {
    let line = "fred:challenge::hunter2:nobody:/srv:";
    let (updated, scene) = update_to(line, Scheme::Argon2id);
    assert_eq!(updated.unwrap(), Updated::Nothing);
    assert!(scene.text().contains(&format!("\n{line}\n")));
}

#[test]
fn a_failed_update_leaves_the_old_password() {
    // The file of a type that keeps the password itself cannot hold this one.
    let scene = Scene::new("");
    let kept = record("fred", Scheme::Sha256, "a:b").encode();
    fs::write(&scene.file, &kept).unwrap();
    let record = scene.find("fred").unwrap();
    let updated = update(&scene.file, &record, Scheme::Plain, CHEAP, &secret("a:b"));
    assert!(matches!(updated, Err(NativeError::Password(_))));
    assert_eq!(fs::read(&scene.file).unwrap(), kept);
}

#[test]
fn nobody_waits_for_another_editor_and_nothing_of_theirs_is_lost() {
    let scene = Scene::new("fred:plain::hunter2:nobody:/srv:\n");
    let record = scene.find("fred").unwrap();
    let update = || {
        update(
            &scene.file,
            &record,
            Scheme::Sha256,
            CHEAP,
            &secret("hunter2"),
        )
    };
    let mut edit = Edit::begin(&scene.file).unwrap();
    assert!(matches!(update(), Err(NativeError::Busy)));
    let name = edit.name_of(b"fred").unwrap();
    let new = Stored::new(Scheme::Plain, CHEAP, &name, &secret("new")).unwrap();
    edit.set_password(b"fred", &new).unwrap();
    edit.commit().unwrap();
    assert_eq!(update().unwrap(), Updated::Nothing);
    assert_eq!(scene.text(), "fred:plain::new:nobody:/srv:\n");
    scene.change(|edit| edit.delete(b"fred"));
    assert_eq!(update().unwrap(), Updated::Nothing);
    assert_eq!(scene.text(), "");
}
