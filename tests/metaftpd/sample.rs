//! A configuration in the words of MetaFTPd's README, and a user file as its `-user add` writes one, both under the names that
//! it has them, on a machine of their own: nothing in them is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use tests::{Scratch, binaries, namespaces, require};

/// Every key of its README that does not forbid the rest of the test, in its spelling. `DataConnectUpScript` and
/// `ConnectUpHook` are one thing by two names, as are those for the end.
const CONFIGURATION: &str = "# ftp for the lab
ChHome
AllowUsers=anonymous,petra,maria,saul,sven,sofia,wim,wanda,jana,jakob,judit,joel,clara
DenyUsers=root,mallory
Port=21
DataConnectUpScript=/usr/local/sbin/way
DataConnectDownScript=/usr/local/sbin/way
Banner=Files of the lab
DataConnectionLowPort=50000
DataConnectionHighPort=50020
AuthFile=/etc/metaftpd.auth
AuthMethods=native
ServLogFile=/var/log/metaftpd/server.log
LogFile=/var/log/metaftpd/$(User)-$(ClientIP).log
Idle=300
MaxIdle=600
Locks=Mandatory
BindAddress=127.0.0.1
PermittedCommands=ALL
DefaultGroup=nogroup
MaxFileSize=1000000
ConfirmTransfers=md5
UploadHook=/usr/local/sbin/hook,nobody,/tmp
DownloadHook=/usr/local/sbin/hook,nobody,/tmp
DeleteHook=/usr/local/sbin/hook,nobody,/tmp
RenameHook=/usr/local/sbin/hook,nobody,/tmp
LogonHook=/usr/local/sbin/hook,nobody,/tmp
LogoffHook=/usr/local/sbin/hook,nobody,/tmp
";

/// Its digests are of name, salt and password, the salt is 20 octets in hex, and each setting has a blank behind it. The
/// password is `correct-horse`. Plain and challenge were written by hand, since its own program cut such lines off; those of JH
/// come from a JavaScript of that algorithm.
const USERS: &str = "anonymous:null:::nobody:/home/anonymous:
petra:plain::correct-horse:nobody:/home/petra:
maria:md5:000000000000000000000577ae1477db497a8eed:73e5f6392ca71d120cb116e75b5bf39d:nobody:/home/maria:
saul:sha-1:0000000000000000000048d159e242af37bc0000:3f41b2e68cddcb3e98742aa3cf380bb0fc98c6eb:nobody:/home/saul:Idle=60 
sven:sha-256:000000000000000000021e88e38d0ce0fbc3a24b:fd4b466d6b126a69be00ceffc4301af7472793c85d6a2e203b955d11014a35aa:nobody:/home/sven:Idle=60 MaxIdle=90 
sofia:sha-512:0000000000000000000aef5c28efb692f51dda00:458c27d1c6103e8a955a83e43d275ec865111b2ef63d3959c89d7fbeafe2e0a3c9994d26c6af9b181733144abe7e5c5c8108d7e2044297d649814134ae86b3e0:nobody:/home/sofia:
wim:whirl:9d1f0c5b7a3e48d2b6c1907f5e2a4d8c3b7f1e60:45211aee827a4a6197653ec596953d2e2d9550070d85307bb96ebec3a3f2001451c4555c661d5f81c04e18f1d260201543902c318c175979f7a72685348578d2:nobody:/home/wim:
wanda:whirlpool:9d1f0c5b7a3e48d2b6c1907f5e2a4d8c3b7f1e60:e82eb81dda9efd2ec6f9f99399f2780d134259855b45006a435bbcdf8b001772850914e33b30716a1e6f046dd913841c67884ce1237fd2e674c1bb5e10d92c86:nobody:/home/wanda:ConfirmTransfer=sha-256 
jana:jh-224:4b1d7c90e2a6583f0d94c7b1a85e6f23d09c4e17:29a8a2acbcd8d1186a7c274c7ac99fcc7020602a831f601b9a893bb7:nobody:/home/jana:
jakob:jh-256:4b1d7c90e2a6583f0d94c7b1a85e6f23d09c4e17:60b99f4c6196bcae231a513d0dc0f43bbff9de2c35056566d4d8a2273012e973:nobody:/home/jakob:
judit:jh-384:4b1d7c90e2a6583f0d94c7b1a85e6f23d09c4e17:4dfc07540d07b27ed74b7cf6f0cc26dba4012c411ca239eb31444124fcb087ccb2ba30dd100664c7fb59ecc57f909374:nobody:/home/judit:
joel:jh-512:4b1d7c90e2a6583f0d94c7b1a85e6f23d09c4e17:acc8ebd81c22c70f147a8f6dbf6b0255fee17fe933750903b6b98a9e69f4e2cbc81b133d0864b143cfa5b896aaab2f1a6d6a61c0e26c5bdbde5392625556ac16:nobody:/home/joel:
clara:challenge::correct-horse:nobody:/home/clara:
mallory:null:::nobody:/home/mallory:
";

const SCRIPT: &str = r#"
refused() { if "$@"; then echo "not refused: $*" >&2; exit 1; fi; }
get() { curl -sS --max-time 60 "$@"; }
ftpd --check >&2
ftpd
left=300
until get -o /dev/null ftp://petra:correct-horse@127.0.0.1/; do left=$((left - 1)); test $left -gt 0; sleep 0.1; done
for user in petra maria saul sven sofia wim jana jakob judit joel clara wanda; do
    echo "of $user" >file
    get -T file "ftp://$user:correct-horse@127.0.0.1/file" -v 2>replies
    test "$(get "ftp://$user:correct-horse@127.0.0.1/file")" = "of $user"
    test "$(cat /home/$user/file)" = "of $user"
    # Confined.
    refused get "ftp://$user:correct-horse@127.0.0.1//etc/hostname"
done
grep '^< 226 .*SHA-256=' replies >&2
# One for all: more would have this address banned.
refused get ftp://sofia:wrong-horse@127.0.0.1/file
test "$(stat -c %U:%G /home/maria/file)" = nobody:nogroup
get ftp://127.0.0.1/ >/dev/null
refused get ftp://mallory:x@127.0.0.1/
head -c 1000001 /dev/zero >large
refused get -T large ftp://petra:correct-horse@127.0.0.1/large
get -Q '-RNFR file' -Q '-RNTO other' -Q '-DELE other' ftp://petra:correct-horse@127.0.0.1/ >/dev/null
grep 'upload of .*file' /var/log/metaftpd/petra-127.0.0.1.log >&2
grep mallory /var/log/metaftpd/server.log >&2
left=300
until grep -q '^/home/petra/other$' /run/hooked; do left=$((left - 1)); test $left -gt 0; sleep 0.1; done
grep -c '^petra$' /run/hooked >&2
grep 127.0.0.1 /run/ways >&2
kill "$(pgrep -o -x ftpd)"
"#;

#[test]
fn its_configuration_and_user_file_are_taken_as_they_are() {
    let programs = ["unshare", "mount", "ip", "curl", "pgrep"];
    if !require::root() || !require::programs(&programs) {
        return;
    }
    let scratch = Scratch::new();
    for (name, text) in [("conf", CONFIGURATION), ("auth", USERS), ("script", SCRIPT)] {
        fs::write(scratch.join(name), text).unwrap();
    }
    fs::set_permissions(scratch.join("auth"), fs::Permissions::from_mode(0o600)).unwrap();
    let place = scratch.path().display().to_string();
    let stage = format!(
        "set -e
        mkdir {place}/layers && mount -t tmpfs none {place}/layers
        mkdir {place}/layers/upper {place}/layers/work
        mount -t overlay none -o lowerdir=/etc,upperdir={place}/layers/upper,workdir={place}/layers/work /etc
        for empty in /home /run /var/log /usr/local/sbin; do mount -t tmpfs -o mode=755 none $empty; done
        ip link set lo up
        echo staged >&2
        cat {place}/conf >/etc/metaftpd.conf
        (umask 077; cat {place}/auth >/etc/metaftpd.auth)
        mkdir /var/log/metaftpd
        for user in anonymous petra maria saul sven sofia wim wanda jana jakob judit joel clara mallory; do
            mkdir /home/$user; chown nobody /home/$user
        done
        printf '#!/bin/sh\\nfor word; do echo \"$word\"; done >>/run/hooked\\n' >/usr/local/sbin/hook
        printf '#!/bin/sh\\necho \"$@\" >>/run/ways\\n' >/usr/local/sbin/way
        chmod 755 /usr/local/sbin/hook /usr/local/sbin/way
        touch /run/hooked /run/ways; chmod 666 /run/hooked /run/ways
        mkdir /run/work; cd /run/work
        sh -ex {place}/script"
    );
    let programs = binaries::path("ftpd").parent().unwrap().to_owned();
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
    let output = namespaces::staged(&stage, |command| {
        command.current_dir(scratch.path()).env("PATH", path);
    });
    let Some(output) = output else { return };
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
