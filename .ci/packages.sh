#!/bin/bash
# Sees to the system packages that building needs. Silent when all are there; otherwise installs them with apt when
# root or sudo without a password allows it, else prints the line to run and stops.
#
# usage: [FEATURES="--no-default-features …"] .ci/packages.sh
#
# FEATURES are cargo's feature options: without Hyperscan or libpcap their packages are not asked for.
set -euo pipefail

# Each argument is a line.
say() { printf '%s\n' "$@" >&2; }

stop() {
    say "$@"
    exit 1
}

if ! command -v cargo >/dev/null; then
    stop "shadowtap is built with Rust, and no cargo is on the PATH." \
        "Install Rust 1.89 or newer from https://rustup.rs, open a new shell, and try again."
fi

has_feature() {
    case " ${FEATURES:-} " in
    *" --all-features "*) return 0 ;;
    *" --no-default-features "*) [[ " ${FEATURES//[=,]/ } " == *" $1 "* ]] ;;
    *) return 0 ;;
    esac
}

has_library() { command -v pkg-config >/dev/null && pkg-config --exists "$1" 2>/dev/null; }

# Each need is tested by what it is for, not by a package's name: a library from elsewhere is as good.
missing=()
command -v cc >/dev/null || missing+=(build-essential)
# libpcap's crate finds the library through the linker, Hyperscan's through pkg-config.
command -v pkg-config >/dev/null || missing+=(pkg-config)
! has_feature pcap || has_library libpcap || missing+=(libpcap-dev)
! has_feature hyperscan || has_library libhs || missing+=(libhyperscan-dev)
[ ${#missing[@]} -gt 0 ] || exit 0

without_libraries="or build without them: capture files are read and the native engine scans, live capture is left out:
    cargo build --release --no-default-features"

command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
    stop "Missing for building: ${missing[*]} (Debian's names). Install them with this system's package manager," \
        "$without_libraries"

architecture=$(dpkg --print-architecture)
if [[ " ${missing[*]} " == *" libhyperscan-dev "* && $architecture != amd64 && $architecture != i386 ]]; then
    stop "Hyperscan is for x86 processors; this machine is $architecture. Build with the native engine:" \
        "    make demo FEATURES=\"--no-default-features --features pcap\""
fi

# A sudo that would ask for a password must not hold up a script.
if [ "$(id -u)" -eq 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
else
    stop "Some system packages are missing. Run this, then try again:" \
        "    sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" \
        "$without_libraries"
fi

say "Installing ${missing[*]} …"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
if ! "${apt[@]}" update >"$log" 2>&1 || ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    stop "apt could not install ${missing[*]}; its last lines stand above. Install them by hand," \
        "$without_libraries"
fi
