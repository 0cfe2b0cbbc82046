#!/usr/bin/env bash
# Copies built programs and what belongs to them to where they are used: `make install` calls this.
#
#   DESTDIR  a directory in the place of /, for packages
#   PREFIX   where programs and manual go (/usr/local)
#
# Configuration that is there is left alone. Nothing is started.
set -eu

programs=$(cd -- "${1:?usage: install.sh DIRECTORY-OF-THE-PROGRAMS}" && pwd)
here=$(cd -- "$(dirname -- "$0")" && pwd)
tree=$(dirname -- "$here")
prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}

put() { # mode source target
    install -D -m "$1" -- "$2" "$root$3"
}

put_configuration() {
    [ -e "$root$3" ] || put "$@"
}

for program in ftpd ftpuser ftpproxy; do
    put 755 "$programs/$program" "$prefix/sbin/$program"
done
put 755 "$programs/ftphash" "$prefix/bin/ftphash"
for page in "$tree"/man/*; do
    put 644 "$page" "$prefix/share/man/man${page##*.}/${page##*/}"
done
for program in ftpd ftpuser ftpproxy ftphash; do
    put 644 "$tree/completions/$program.bash" "$prefix/share/bash-completion/completions/$program"
    put 644 "$tree/completions/_$program" "$prefix/share/zsh/site-functions/_$program"
    put 644 "$tree/completions/$program.fish" "$prefix/share/fish/vendor_completions.d/$program.fish"
done
for text in README.md CHANGELOG.md SECURITY.md; do
    put 644 "$tree/$text" "$prefix/share/doc/ftpd/$text"
done
for page in "$tree"/doc/*; do
    put 644 "$page" "$prefix/share/doc/ftpd/doc/${page##*/}"
done
for example in "$here"/examples/*; do
    put 644 "$example" "$prefix/share/doc/ftpd/examples/${example##*/}"
done

for example in ftpproxy.conf ftpproxy-pool.conf; do
    put 644 "$here/$example" "$prefix/share/doc/ftpd/examples/$example"
done

unit=$(mktemp)
trap 'rm -f -- "$unit"' EXIT
for program in ftpd ftpproxy; do
    sed "s|/usr/sbin/|$prefix/sbin/|" "$here/systemd/$program.service" >"$unit"
    put 644 "$unit" "$prefix/lib/systemd/system/$program.service"
done

put 644 "$here/sysusers.conf" "$prefix/lib/sysusers.d/ftpd.conf"
for socket in "$here"/systemd/*.socket; do
    put 644 "$socket" "$prefix/lib/systemd/system/${socket##*/}"
done

put_configuration 644 "$here/examples/metaftpd.conf" /etc/metaftpd.conf
put_configuration 644 "$here/metaftpd.pam" /etc/pam.d/metaftpd
put_configuration 644 "$here/logrotate" /etc/logrotate.d/ftpd
put_configuration 644 "$here/fail2ban/ftpd.conf" /etc/fail2ban/filter.d/ftpd.conf
if ! [ -e "$root/etc/metaftpd.auth" ]; then
    put 600 /dev/null /etc/metaftpd.auth
fi
