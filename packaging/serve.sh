#!/usr/bin/env bash
# Serves a scratch directory to this machine so that ftpd can be tried with any client: `make serve` builds it and calls
# this. Not a way to run a server: see README.md. Everything it makes is gone when it ends.
set -eu

programs=$(cd -- "${1:?usage: serve.sh DIRECTORY-OF-THE-PROGRAMS}" && pwd)
port=${PORT:-2121}
name=demo

if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "Port $port of 127.0.0.1 is taken. Choose another one: make serve PORT=$((port + 1))" >&2
    exit 1
fi

# Files are served as an ordinary user, never as root.
if [ "$(id -u)" = 0 ]; then
    owner=${SUDO_USER:-nobody}
    [ "$owner" != root ] || owner=nobody
else
    owner=$(id -un)
fi

umask 022
scratch=$(mktemp -d "${TMPDIR:-/tmp}/ftpd-serve.XXXXXX")
server=

finish() {
    trap '' INT TERM HUP
    if [ -n "$server" ]; then
        # The group: the listener and every session that is still there.
        kill -TERM -- "-$server" 2>/dev/null || true
        for _ in {1..20}; do
            kill -0 -- "-$server" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL -- "-$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf -- "$scratch"
}
trap finish EXIT
trap 'exit 0' INT TERM HUP

chmod 755 "$scratch"
mkdir "$scratch/home"
printf 'It works. This file is %s/home/welcome.txt\n' "$scratch" >"$scratch/home/welcome.txt"
if [ "$(id -u)" = 0 ]; then
    chown -R "$owner:" "$scratch/home"
fi

# printf is the shell's own: the password is on no command line and in no environment.
password=$(head -c 15 /dev/urandom | base64 | tr '+/' 'xy')
printf '%s\n' "$password" | "$programs/ftpuser" add "$name" --home "$scratch/home" --real-user "$owner" \
    --password-stdin -a "$scratch/auth"

(cd "$scratch" && "$programs/ftpd" --make-cert localhost >/dev/null)

# With a process group of its own, Ctrl-C reaches only this script, which then ends the whole group.
set -m
mkfifo "$scratch/log"
"$programs/ftpd" -nodemon -i 127.0.0.1 -port "$port" -A native -a "$scratch/auth" -chhome \
    -cert "$scratch/localhost.pem" -key "$scratch/localhost.key" </dev/null 2>"$scratch/log" &
server=$!
set +m
exec 3<"$scratch/log"

ready=
while IFS= read -r line <&3; do
    printf '%s\n' "$line" >&2
    case $line in *'listening on '*) ready=yes; break ;; esac
done
if [ -z "$ready" ]; then
    echo "ftpd did not start." >&2
    exit 1
fi

cat <<TEXT

  ftpd serves $scratch/home on 127.0.0.1 port $port
  login $name, password $password

  curl -u $name:$password ftp://127.0.0.1:$port/welcome.txt
  curl -u $name:$password -T FILE ftp://127.0.0.1:$port/

  and the same under TLS, with a certificate that was made for this:

  curl --ssl-reqd --cacert $scratch/localhost.pem -u $name:$password ftp://localhost:$port/welcome.txt
  lftp -u $name,$password -e 'set ssl:ca-file $scratch/localhost.pem' ftp://localhost:$port

  Ctrl-C ends it and removes everything.

TEXT
cat <&3 >&2 &
wait "$server"
