#!/usr/bin/env bash
# Installs the client of node that the tests drive, in the version that its lock file names: `clients.sh DIRECTORY`.
set -eu

directory=${1:?usage: clients.sh DIRECTORY}
manifest=$(cd "$(dirname "$0")/../tests/clients/npm" && pwd)

if ! command -v npm >/dev/null; then
    echo "Without npm there is no basic-ftp: its test is skipped." >&2
    exit 0
fi
if [ -d "$directory/node_modules/basic-ftp" ] && cmp -s "$manifest/package-lock.json" "$directory/package-lock.json"; then
    exit 0
fi
mkdir -p "$directory"
cp "$manifest/package.json" "$manifest/package-lock.json" "$directory"
cd "$directory"
npm ci --silent --no-audit --no-fund >&2
