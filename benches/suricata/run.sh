#!/bin/bash
# Runs Suricata 8 on a capture, for the benchmark's option --vs:
#
#     make bench BENCH="--vs 'suricata=benches/suricata/run.sh {capture} {out}'"
#
# usage: run.sh CAPTURE OUT, from the project's folder, after a release build. SURICATA is the command (suricata), SURICATA_CONFIG
# the configuration that came with it (/etc/suricata/suricata.yaml), whose limits on bodies and memory are lifted here, so that it
# reads as much as shadowtap does. One thread reads, flows and detects (runmode single). Rules are made at the first run.
set -euo pipefail
capture=$(realpath "$1") out=$(realpath "$2")
cd "$(dirname "$0")/../.."
rules=$PWD/target/bench/suricata

[ -s "$rules/ai.rules" ] || benches/suricata/rules.py target/release/shadowtap "$rules"
http=app-layer.protocols.http
body=$http.libhtp.default-config
# A command with arguments, such as `chroot DIR suricata`, is wanted in words.
# shellcheck disable=SC2086
exec ${SURICATA:-suricata} -c "${SURICATA_CONFIG:-/etc/suricata/suricata.yaml}" --include "$PWD/benches/suricata/outputs.yaml" \
    --set $body.request-body-limit=0 --set $body.response-body-limit=64kb --set $body.randomize-inspection-sizes=no \
    --set $http.memcap=2gb --set stream.memcap=512mb --set stream.reassembly.memcap=2gb --set stream.reassembly.depth=0 \
    --set stream.reassembly.randomize-chunk-size=no --set flow.memcap=512mb --set detect.sgh-mpm-caching=no \
    --set unix-command.enabled=no \
    -S "$rules/ai.rules" -r "$capture" -l "$out" --runmode single
