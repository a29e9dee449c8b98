# Starts and ends what a capture needs: the stand-in servers, and a recorder. Sourced by record.sh.
#
# Every program started here is kept by process id and ended by it.

declare -A PIDS=()

# start NAME PROGRAM…: runs a program in the background, its messages in $RUN/NAME.err. A program, no function: of that,
# the process id would be a shell's.
start() {
    local name=$1
    shift
    "$@" >"$RUN/$name.out" 2>"$RUN/$name.err" &
    PIDS[$name]=$!
}

stop() {
    local pid=${PIDS[$1]:-}
    [ -n "$pid" ] || return 0
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    unset "PIDS[$1]"
}

# until_true COMMAND…: tries for ten seconds.
until_true() {
    for _ in $(seq 100); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.1
    done
    echo "record.sh: never became true: $*" >&2
    return 1
}

listens() { ip netns exec "lab-$1" ss -Hltn "sport = :$2" | grep -q .; }

tear_down() {
    local name
    for name in "${!PIDS[@]}"; do stop "$name"; done
    network_down
    rm -rf "$RUN"
}

# --- what runs beside every capture ---

prepare_documents() {
    mkdir -p "$RUN/documents"
    cp "$LAB/prompts/values.tsv" "$RUN/values.tsv"
    python3 "$LAB/prompts/make_documents.py" "$RUN/documents" "$RUN/values.tsv"
}

# DNS and DHCP of the hospital. It knows the lab's names and denies all others, so that a browser's own look-ups end here.
start_names() {
    local name address mac
    awk '!/^#/ { print $2, $3 }' "$LAB/hosts.tsv" > "$RUN/hosts"
    local leases=()
    while read -r name address mac; do leases+=("--dhcp-host=$mac,$address"); done < <(hosts client; hosts guest)
    start names ip netns exec lab-gateway dnsmasq --keep-in-foreground --conf-file=/dev/null --user=root --pid-file= \
        --no-resolv --no-hosts --addn-hosts="$RUN/hosts" --address=/#/ --interface=lan --interface=guest \
        --bind-interfaces --dhcp-range=10.20.0.0,static,255.255.0.0 --dhcp-range=10.66.0.0,static,255.255.255.0 \
        --domain=hospital.example --dhcp-leasefile="$RUN/leases" "${leases[@]}"
    until_true listens gateway 53
}

start_servers() {
    start servers ip netns exec lab-servers env PYTHONPATH="$LAB" "$PYTHON" -B -m servers \
        --hosts "$LAB/hosts.tsv" --certificates "$RUN/ca" --log "$1"
    until_true listens servers 11434
    until_true listens servers 443
}

# --- the views ---

# listen HOST INTERFACE FILTER [OPTION…]: records frames as they pass an interface. `gateway lan` is the mirror port.
listen() {
    local host=$1 interface=$2 filter=$3
    shift 3
    # A frame longer than the network's largest needs no room in the ring; with tcpdump's default the ring holds few.
    start recorder ip netns exec "lab-$host" tcpdump -Z root -n -i "$interface" -s 2048 -B 16384 -w "$OUT" "$@" "$filter"
    until_true grep -q 'listening on' "$RUN/recorder.err"
}

# inspect: the gateway breaks TLS open, and records what it found inside as HTTP on the original addresses and ports.
# `ssl`, not `https`: the latter rewrites headers, and a capture must hold what the client sent.
inspect() {
    local interface
    for interface in lan guest; do
        ip netns exec lab-gateway iptables -t nat -A PREROUTING -i "$interface" -p tcp --dport 443 \
            -j REDIRECT --to-ports 8443
    done
    start recorder ip netns exec lab-gateway sslsplit -D -u root -k "$RUN/ca/inspection.key" -c "$RUN/ca/inspection.crt" \
        -X "$OUT" ssl 0.0.0.0 8443 netfilter
    until_true listens gateway 8443
}

# in_the_clear_on_443: for one capture the servers answer without TLS where TLS is expected.
in_the_clear_on_443() {
    ip netns exec lab-servers iptables -t nat -A PREROUTING -p tcp --dport 443 -j REDIRECT --to-ports 80
}

# record NAME: runs the function NAME of captures.sh between its servers and its recorder.
record() {
    local capture=$1 name
    declare -F "$capture" >/dev/null || { echo "record.sh: no capture is called $capture" >&2; return 1; }
    OUT=$RUN/$capture.pcap
    start_servers "$RUN/$capture.jsonl"
    "$capture"
    sleep 1 # the last FINs
    stop recorder
    for name in proxy icap balancer service servers; do stop "$name"; done
    ip netns exec lab-gateway iptables -t nat -F
    ip netns exec lab-servers iptables -t nat -F
    finish "$capture"
}

# finish NAME: writes down what the capture holds and puts it in its place. TLS secrets, if a client gave any, go into the
# file, which takes pcapng.
finish() {
    if grep -E '^[1-9][0-9]* packets? dropped by kernel' "$RUN/recorder.err"; then return 1; fi
    if [ -e "$RUN/keys" ]; then
        editcap --inject-secrets "tls,$RUN/keys" "$OUT" "${OUT}ng"
        OUT=${OUT}ng
        rm "$RUN/keys"
    fi
    "$PYTHON" -B "$LAB/truth.py" "$OUT" --log "$RUN/$1.jsonl" --values "$RUN/values.tsv" --into "$PCAPS/ground-truth.jsonl"
    mv "$OUT" "$PCAPS/"
}
