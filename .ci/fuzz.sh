#!/bin/bash
# Fuzzes each target of fuzz/ for a while. usage: .ci/fuzz.sh SECONDS [TARGET…]
#
# The inputs that fuzzing found worth keeping lie in fuzz/corpus/; `make test` replays them without any of this.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=$1
shift

if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "Fuzzing needs a nightly toolchain and cargo-fuzz:" >&2
    echo "    rustup toolchain install nightly && cargo install --locked cargo-fuzz" >&2
    exit 1
fi
if [ $# -gt 0 ]; then
    targets=("$@")
else
    mapfile -t targets < <(cargo +nightly fuzz list)
fi
for target in "${targets[@]}"; do
    echo "== $target, $seconds s"
    cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -rss_limit_mb=2048
done
