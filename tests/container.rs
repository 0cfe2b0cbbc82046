//! The image of `packaging/Containerfile`, as far as that can be tried without a container runtime: its user, its variables, its
//! entry point and its health command, in a root directory that nobody can write.

#![allow(clippy::unwrap_used, reason = "whatever fails shall end the test")]

use std::fs;

use tests::{Scratch, binaries, environment, namespaces, require};

/// The instructions, each on one line.
fn recipe() -> Vec<String> {
    let text = fs::read_to_string(binaries::root().join("packaging/Containerfile")).unwrap();
    let text = text.replace("\\\n", " ");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// What the last instruction of this name says.
#[track_caller]
fn instruction(name: &str) -> String {
    let recipe = recipe();
    let mut found = recipe
        .iter()
        .rev()
        .filter_map(|line| line.strip_prefix(name));
    found
        .next()
        .unwrap_or_else(|| panic!("no {name}"))
        .trim()
        .to_owned()
}

/// The words of an instruction in its exec form.
fn words(json: &str) -> Vec<String> {
    serde_json::from_str(&json[json.find('[').unwrap()..]).unwrap()
}

#[test]
fn each_variable_of_the_recipe_is_a_setting_and_a_dump_says_where_it_is_from() {
    let variables = instruction("ENV ");
    let variables: Vec<_> = variables.split(' ').collect();
    environment::assert_dumped(&variables);
}

#[test]
fn the_image_serves_without_root_and_writes_nowhere_else() {
    let programs = ["unshare", "mount", "ip", "chroot", "curl"];
    if !require::root() || !require::programs(&programs) {
        return;
    }
    let scratch = Scratch::new();
    let place = scratch.path().display().to_string();
    let user = instruction("USER ");
    let variables = instruction("ENV ");
    let entry = words(&instruction("ENTRYPOINT ")).join(" ");
    let health = words(&instruction("HEALTHCHECK ")).join(" ");
    let target = binaries::path("ftpd")
        .parent()
        .unwrap()
        .display()
        .to_string();
    fs::write(scratch.join("users"), "fred:plain::secret:ftpd:/srv/ftp:\n").unwrap();
    // The image's base is this machine's /usr; all but the volume and what the command line mounts is read-only.
    let script = format!(
        "set -e
        root={place}/root; mkdir -p $root
        mount -t tmpfs -o mode=755 none $root
        cd $root; mkdir -p usr etc dev proc srv/ftp run/ftpd run/secrets opt
        for link in bin sbin lib lib64; do ln -s usr/$link $link; done
        mount --rbind /usr usr; mount --bind {target} opt; mount -t proc none proc; touch dev/null; mount --bind /dev/null dev/null
        cp /etc/ld.so.cache etc/
        echo 'ftpd:x:2121:2121::/srv/ftp:/bin/sh' >etc/passwd; echo 'ftpd:x:2121:' >etc/group
        cp {place}/users run/secrets/ftpd.auth; chown {user} run/secrets/ftpd.auth; chmod 400 run/secrets/ftpd.auth
        for writable in srv/ftp run/ftpd; do mount -t tmpfs -o mode=700,uid=2121,gid=2121 none $writable; done
        mount -o remount,ro,bind $root
        ip link set lo up; cd /
        image='chroot --userspec={user} '$root' /usr/bin/env -i PATH=/opt:/usr/bin {variables}'
        in_image() {{ $image \"$@\"; }}
        echo staged >&2
        if in_image touch /x 2>/dev/null; then echo 'the root can be written' >&2; exit 1; fi
        if in_image {health}; then echo 'well before the start' >&2; exit 1; fi
        (exec $image {entry}) >{place}/log &
        daemon=$!
        left=100; until in_image {health} 2>/dev/null; do left=$((left - 1)); test $left -gt 0; sleep 0.1; done
        echo content >{place}/file
        curl -sS -T {place}/file ftp://fred:secret@127.0.0.1:2121/
        test \"$(curl -sS ftp://fred:secret@127.0.0.1:2121/file)\" = content
        kill $daemon; wait $daemon
        if in_image {health}; then echo 'well after the end' >&2; exit 1; fi"
    );
    let Some(output) = namespaces::staged(&script, |_| {}) else {
        return;
    };
    let log = fs::read_to_string(scratch.join("log")).unwrap_or_default();
    assert!(output.status.success(), "{output:?}\n{log}");
    assert!(
        log.contains("login of 'fred'") && log.contains("upload of file"),
        "{log}"
    );
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("it serves, 0 sessions"),
        "{output:?}"
    );
}
