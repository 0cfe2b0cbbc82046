#!/usr/bin/env bash
# Makes a Debian package of built programs: `make deb` calls this. Needs dpkg-deb and binutils, and no root. VERSION and MAINTAINER may say
# what else it tells of itself.
set -eu

programs=${1:?usage: deb.sh DIRECTORY-OF-THE-PROGRAMS DIRECTORY-FOR-THE-PACKAGE}
out=${2:?usage: deb.sh DIRECTORY-OF-THE-PROGRAMS DIRECTORY-FOR-THE-PACKAGE}
here=$(cd -- "$(dirname -- "$0")" && pwd)
version=${VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../Cargo.toml" | head -n 1)}
maintainer=${MAINTAINER:-ftpd-suite maintainers <root@localhost>}
architecture=$(dpkg --print-architecture)

stage=$(mktemp -d)
trap 'rm -rf -- "$stage"' EXIT
umask 022
DESTDIR=$stage PREFIX=/usr "$here/install.sh" "$programs"
# The users are nobody's to replace: the package makes the file if there is none, and never ships one.
rm -- "$stage/etc/metaftpd.auth"
strip --strip-unneeded "$stage"/usr/sbin/* "$stage"/usr/bin/*
gzip -9n "$stage"/usr/share/man/man*/*
# Debian's zsh looks for what packages bring in a place of its own.
mv -- "$stage/usr/share/zsh/site-functions" "$stage/usr/share/zsh/vendor-completions"
documents="$stage/usr/share/doc/ftpd-suite"
install -D -m 644 -- "$here/debian/copyright" "$documents/copyright"
# Debian's form of it; what has changed is in CHANGELOG.md, beside the README.
gzip -9nc >"$documents/changelog.gz" <<END
ftpd-suite ($version) unstable; urgency=medium

  * See /usr/share/doc/ftpd/CHANGELOG.md.

 -- $maintainer  $(LC_ALL=C date -uR -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")
END

mkdir "$stage/DEBIAN"
size=$(du -sk -- "$stage" | cut -f 1)
cat >"$stage/DEBIAN/control" <<END
Package: ftpd-suite
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $size
Depends: libc6, libcrypt1
Recommends: libpam0g, logrotate
Provides: ftp-server
Section: net
Priority: optional
Description: FTP server in two processes a session, and its tools
 An FTP server that keeps the network away from the files: the process that
 reads the network can open none, and the one that can reads no network. With
 TLS, archives, digests, compressed transfers and uploads that survive a power
 cut. Also ftpuser, ftphash and ftpproxy.
END
(cd "$stage" && find etc -type f -printf '/%p\n' | sort) >"$stage/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 755 "$here/debian/$script" "$stage/DEBIAN/$script"
done
package="$out/ftpd-suite_${version}_$architecture.deb"
dpkg-deb --root-owner-group --build "$stage" "$package" >&2
echo "$package"
