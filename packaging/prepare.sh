#!/usr/bin/env bash
# Makes sure that the programs which `make` needs are there: `prepare.sh build` or `prepare.sh test TARGET`. Root gets missing
# Debian packages through apt-get; anybody else gets a sentence that names them. Touches nothing if all is there.
set -eu

# program:package
build='cc:gcc ld:binutils'
test='curl:curl lftp:lftp tnftp:tnftp wget:wget python3:python3 vsftpd:vsftpd ncftp:ncftp inetutils-ftp:inetutils-ftp rclone:rclone perl:perl node:nodejs npm:npm setpriv:util-linux useradd:passwd unshare:util-linux nsenter:util-linux ip:iproute2 id:coreutils b3sum:b3sum pigz:pigz openssl:openssl gnutls-cli:gnutls-bin tar:tar bsdtar:libarchive-tools strace:strace mkfs.ext4:e2fsprogs mount:mount losetup:mount iptables:iptables nft:nftables haproxy:haproxy sshd:openssh-server ssh:openssh-client fail2ban-regex:fail2ban logrotate:logrotate systemd-analyze:systemd systemd-socket-activate:systemd inetd:openbsd-inetd groff:groff-base man:man-db zsh:zsh fish:fish htpasswd:apache2-utils db5.3_load:db5.3-util'
PATH=$PATH:/usr/sbin:/sbin

case ${1-} in
    build) wanted=$build ;;
    test) wanted="$build $test" ;;
    *) echo "usage: $0 build | test TARGET" >&2; exit 2 ;;
esac

if ! command -v cargo >/dev/null; then
    echo "cargo is missing: install Rust from https://rustup.rs or your distribution (Cargo.toml names the version)." >&2
    exit 1
fi

# What is no package to be installed.
rest() {
    [ "$1" = test ] || return 0
    local target=${2:?the directory that cargo builds in}
    "$(dirname "$0")/peers.sh" "$target/peers"
    "$(dirname "$0")/clients.sh" "$target/clients"
}

missing=()
for pair in $wanted; do
    command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
done
# gcc alone links nothing: the C library's start files come with its headers.
if ! [ -e "$(cc -print-file-name=crt1.o 2>/dev/null)" ]; then
    missing+=(libc6-dev)
fi
# The PAM of ordinary users, which has no program.
if [ "$1" = test ] && ! [ -e "$(cc -print-file-name=libpam_wrapper.so 2>/dev/null)" ]; then
    missing+=(libpam-wrapper)
fi
# TLS of Perl's Net::FTP, which has none either.
if [ "$1" = test ] && ! perl -MIO::Socket::SSL -e 1 2>/dev/null; then
    missing+=(libio-socket-ssl-perl)
fi
# crypt(3), which Debian has in a library of its own.
if ! [ -e "$(cc -print-file-name=libcrypt.so 2>/dev/null)" ]; then
    missing+=(libcrypt-dev)
fi
if [ ${#missing[@]} -eq 0 ]; then
    rest "$@"
    exit 0
fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Missing system packages: ${missing[*]}. On Debian: apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

echo "Installing missing packages: ${missing[*]}" >&2
# A package must not start a server on this machine only because our tests use its program.
policy=/usr/sbin/policy-rc.d
if ! [ -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
rest "$@"
