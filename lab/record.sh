#!/bin/bash
# Records the project's own captures: real clients against stand-in servers, in network namespaces of this machine.
# Nothing leaves those namespaces.
#
# usage: lab/record.sh [NAME…]      all captures, or those named (lab/record.sh --list)
#
# Needs root on Debian 12. See lab/README.md.
set -euo pipefail

LAB=$(cd "$(dirname "$0")" && pwd)
PCAPS=$LAB/../pcaps
PYTHON=$LAB/.venv/bin/python

source "$LAB/network.sh"
source "$LAB/certificates.sh"
source "$LAB/recording.sh"
source "$LAB/proxies.sh"
source "$LAB/captures.sh"

capture_names() { sed -nE 's/^([a-z0-9-]+-[a-z0-9-]+)\(\) \{$/\1/p' "$LAB/captures.sh"; }

if [ "${1:-}" = --list ]; then
    capture_names
    exit
fi
[ "$(id -u)" = 0 ] || { echo "record.sh: network namespaces need root" >&2; exit 1; }

exec 9<"$LAB"
flock -n 9 || { echo "record.sh: another recording is going on" >&2; exit 1; }

"$LAB/install.sh"
RUN=$(mktemp -d)
trap tear_down EXIT
network_down # what an interrupted run left behind
network_up
make_certificates
prepare_documents
start_names

mkdir -p "$PCAPS"
if [ $# -gt 0 ]; then names=("$@"); else mapfile -t names < <(capture_names); fi
for name in "${names[@]}"; do
    echo "recording $name" >&2
    record "$name"
done
"$PYTHON" -B "$LAB/readme.py"
