#!/bin/bash
# What the ICAP server costs the users of a proxy: real Squid sends it uploads, 100 of 1 MiB at once, and a null ICAP
# server the same in turns. Then the sensor is killed while uploads go on. Needs root (a network namespace), Squid
# (apt-get install squid-openssl, or squid) and Python 3.
# usage: benches/icap/run.sh [SHADOWTAP]     ROUNDS=10 CONCURRENT=100 BYTES=1048576
# With APART=1 the ICAP servers have the second processor to themselves, and all else the first: as if on another machine.
set -euo pipefail
cd "$(dirname "$0")"
shadowtap=${1:-../../target/release/shadowtap}
rounds=${ROUNDS:-10} concurrent=${CONCURRENT:-100} bytes=${BYTES:-1048576}
folder=$(mktemp -d)
chmod 777 "$folder" # Squid is a user of its own.
space=shadowtap-icap-$$
started=()
all=0-$(($(nproc) - 1)) here=${APART:+0} there=${APART:+1}

finish() {
    for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
    [ -f "$folder/squid.pid" ] && kill "$(cat "$folder/squid.pid")" 2>/dev/null || true
    sleep 2
    ip netns del "$space" 2>/dev/null || true
    rm -rf "$folder"
}
trap finish EXIT

# On these processors: a command.
start() {
    ip netns exec "$space" taskset -c "$@" >>"$folder/log" 2>&1 &
    started+=($!)
}

wait_for() {
    for _ in $(seq 100); do
        if ip netns exec "$space" bash -c "exec 3<>/dev/tcp/127.0.0.1/$1" 2>/dev/null; then return; fi
        sleep 0.1
    done
    echo "nobody listens on port $1" >&2
    cat "$folder/log" >&2
    exit 1
}

start_sensor() {
    start "${there:-$all}" "$shadowtap" run --config "$folder/shadowtap.yaml"
    sensor=${started[-1]}
    wait_for 1344
}

ip netns add "$space"
ip -n "$space" link set lo up
sed "s|@FOLDER@|$folder|" squid.conf >"$folder/squid.conf"
cat >"$folder/shadowtap.yaml" <<YAML
proxies: { icap_server: { listen: "127.0.0.1:1344" } }
outputs: [{ type: eve, path: $folder/eve.jsonl }]
metrics: { listen: "127.0.0.1:9470" }
YAML
start "${here:-$all}" ./origin.py 8080
start "${there:-$all}" ./null.py 127.0.0.1 1345 4096
start_sensor
wait_for 8080
wait_for 1345
start "${here:-$all}" squid -N -f "$folder/squid.conf"
wait_for 3130
sleep 3

ip netns exec "$space" taskset -c "${here:-$all}" ./load.py 3128,3129,3130 1 "$concurrent" "$bytes" >/dev/null
ip netns exec "$space" taskset -c "${here:-$all}" ./load.py 3129,3130 "$rounds" "$concurrent" "$bytes" >"$folder/times"
# Scanning goes on behind the answers.
told=-1
until [ "$told" = "$(wc -l <"$folder/eve.jsonl")" ]; do
    told=$(wc -l <"$folder/eve.jsonl")
    sleep 4
done
ip netns exec "$space" curl -s http://127.0.0.1:9470/metrics | grep '^shadowtap_icap' >"$folder/metrics"
./figures.py "$folder/times" "$folder/eve.jsonl"
cat "$folder/metrics"

uploads() {
    ip netns exec "$space" curl -s http://127.0.0.1:9470/metrics | awk '/^shadowtap_icap_requests_total.*REQMOD/ { print $2 }'
}
before=$(uploads)
ip netns exec "$space" taskset -c "${here:-$all}" ./load.py 3130 1 "$concurrent" "$bytes" >"$folder/killed" &
load=$!
until [ "$(uploads)" -ge $((before + concurrent / 2)) ]; do :; done
kill -9 "$sensor"
echo "killed while half of the uploads were on their way:"
wait "$load"
./figures.py "$folder/killed"
echo "after the kill:"
ip netns exec "$space" taskset -c "${here:-$all}" ./load.py 3130 1 "$concurrent" "$bytes" >"$folder/after"
./figures.py "$folder/after"
