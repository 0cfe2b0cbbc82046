#!/usr/bin/env bash
# Unpacks Debian's FTP servers, and xinetd, side by side into a directory, for the tests that play the same conversations with them:
# `peers.sh DIRECTORY`; with ProFTPD's TLS, which is a package of its own. As packages they exclude one another. Starts nothing; needs root for missing libraries only.
set -eu

directory=${1:?usage: peers.sh DIRECTORY}
packages='vsftpd proftpd-core proftpd-mod-crypto proftpd-mod-proxy pure-ftpd ftp-proxy xinetd'

missing=()
for package in $packages; do
    [ -e "$directory/$package/.whole" ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if ! command -v apt-get >/dev/null; then
    echo "Without apt-get the peers ${missing[*]} are not there: their tests are skipped." >&2
    exit 0
fi

[ "$(id -u)" != 0 ] || apt-get update -qq
mkdir -p "$directory"
cd "$directory"
for package in "${missing[@]}"; do
    # What it needs and is not there; the package itself stays out.
    libraries=$(apt-cache depends "$package" | awk '$1 == "Depends:" && $2 ~ /^lib/ { print $2 }')
    absent=()
    for library in $libraries; do
        dpkg-query -W -f '${Status}' "$library" 2>/dev/null | grep -q '^install ok installed' || absent+=("$library")
    done
    if [ ${#absent[@]} -gt 0 ]; then
        if [ "$(id -u)" != 0 ]; then
            echo "$package needs ${absent[*]}: its tests are skipped." >&2
            continue
        fi
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${absent[@]}" >&2
    fi
    rm -rf "$package"
    fresh=$(mktemp -d)
    # apt drops its privileges, and then must be able to write there.
    chmod 777 "$fresh"
    (cd "$fresh" && apt-get download -qq "$package" >&2)
    dpkg-deb -x "$fresh"/*.deb "$package"
    rm -rf "$fresh"
    touch "$package/.whole"
done
