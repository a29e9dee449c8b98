#!/bin/bash
# Checks licences, banned crates and origins of all dependencies by deny.toml. Installs cargo-deny into target/tools
# when it is not there: a debug build, for it is used for a second and takes two minutes to build.
set -euo pipefail
cd "$(dirname "$0")/.."

# The last version tried with this project's toolchain.
VERSION=0.20.2
TOOLS=${CARGO_TARGET_DIR:-target}/tools

deny=$(command -v cargo-deny || true)
[ -n "$deny" ] || deny=$TOOLS/bin/cargo-deny
if [ ! -x "$deny" ]; then
    echo "Installing cargo-deny $VERSION (once, about two minutes) …" >&2
    log=$(mktemp)
    trap 'rm -f "$log"' EXIT
    if ! CARGO_PROFILE_DEV_DEBUG=0 cargo install --locked --debug --quiet --no-track --root "$TOOLS" --target-dir "$TOOLS/build" "cargo-deny@$VERSION" >"$log" 2>&1; then
        cat "$log" >&2
        exit 1
    fi
    rm -rf "$TOOLS/build"
fi
"$deny" --log-level warn --all-features check --hide-inclusion-graph licenses bans sources
