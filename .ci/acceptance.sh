#!/bin/bash
# Runs the tests that need root, network namespaces and systemd-analyze. Where this machine cannot, it says why and ends
# with 77, which .ci/run tells as skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

skip() {
    printf 'skipped: %s\n' "$1" >&2
    exit 77
}

[ "$(id -u)" = 0 ] || skip "acceptance needs root, for network namespaces and packet sockets"
missing=()
command -v ip >/dev/null || missing+=(iproute2)
command -v curl >/dev/null || missing+=(curl)
command -v sysctl >/dev/null || missing+=(procps)
command -v systemd-analyze >/dev/null || missing+=(systemd)
if [ ${#missing[@]} -gt 0 ]; then
    if ! command -v apt-get >/dev/null || ! DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends -y "${missing[@]}" >/dev/null 2>&1; then
        skip "acceptance needs ${missing[*]}: apt-get install ${missing[*]}"
    fi
fi
# The judge of /metrics, without the server that it comes with.
if ! command -v promtool >/dev/null && command -v dpkg-deb >/dev/null; then
    tools=$PWD/target/tools/prometheus
    if [ ! -x "$tools/usr/bin/promtool" ] && mkdir -p "$tools"; then
        (cd "$tools" && apt-get download prometheus && dpkg-deb -x prometheus_*.deb . && rm -f prometheus_*.deb) >/dev/null 2>&1 || true
    fi
    PATH=$PATH:$tools/usr/bin
fi
probe=shadowtap-probe-$$
if ! ip netns add "$probe" 2>/dev/null || ! ip netns exec "$probe" ip link add probe0 type veth peer name probe1 2>/dev/null; then
    ip netns del "$probe" 2>/dev/null || true
    skip "this machine makes no network namespaces or veth pairs"
fi
ip netns del "$probe"
# One at a time: each wants the processor for itself.
"${CARGO:-cargo}" test --locked ${FEATURES:-} --test acceptance -- --ignored --test-threads=1
