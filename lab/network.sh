# Builds and removes the lab's network: one namespace a host, a gateway between hospital and Internet. Sourced by
# record.sh. Nothing here has a route to the machine's own network.
#
# The hospital's switch is the bridge `lan` inside the gateway: a capture on it sees every frame, as a SPAN port does.

hosts() { awk -v kind="$1" '$1 == kind { print $3, $2, $4 }' "$LAB/hosts.tsv"; }

# Runs a command on a lab host, with an environment that tells nothing of this machine.
on() {
    local host=$1
    shift
    ip netns exec "lab-$host" env -i PATH="$PATH" HOME="$RUN/home" LANG=C.UTF-8 SSL_CERT_FILE="$RUN/ca/bundle.crt" "$@"
}

# add_host NAME ADDRESS MAC SWITCH GATEWAY: SWITCH is an interface name inside the gateway; `lan` is shared, so a
# host there gets a port on the bridge.
add_host() {
    local name=$1 address=$2 mac=$3 switch=$4 gateway=$5 port
    add_namespace "$name"
    if [ "$switch" = lan ]; then port=$name; else port=$switch; fi
    ip -n lab-gateway link add "$port" type veth peer name eth0 netns "lab-$name"
    [ -z "$mac" ] || ip -n "lab-$name" link set eth0 address "$mac"
    ip -n "lab-$name" addr add "$address" dev eth0
    [ "$switch" != lan ] || ip -n lab-gateway link set "$port" master lan
    ip -n lab-gateway link set "$port" up
    ip -n "lab-$name" link set eth0 up
    ip -n "lab-$name" route add default via "$gateway"
    plain_frames gateway "$port"
    plain_frames "$name" eth0
}

add_namespace() {
    mkdir -p "/etc/netns/lab-$1"
    echo "nameserver 10.20.0.1" > "/etc/netns/lab-$1/resolv.conf"
    echo "127.0.0.1 localhost" > "/etc/netns/lab-$1/hosts"
    ip netns add "lab-$1"
    ip netns exec "lab-$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    ip -n "lab-$1" link set lo up
}

# Offloads would put 64 KB super-packets with unfinished checksums into the captures; a mirror port carries neither.
plain_frames() { ip netns exec "lab-$1" ethtool -K "$2" tso off gso off gro off tx off >/dev/null; }

network_up() {
    add_namespace gateway
    ip -n lab-gateway link add lan address 00:00:5e:00:53:01 type bridge
    ip -n lab-gateway addr add 10.20.0.1/16 dev lan
    ip -n lab-gateway link set lan up
    plain_frames gateway lan
    ip netns exec lab-gateway sysctl -qw net.ipv4.ip_forward=1

    local name address mac
    while read -r name address mac; do add_host "$name" "$address/16" "$mac" lan 10.20.0.1; done < <(hosts client)
    for name in proxy icap balancer; do
        while read -r _ address mac; do add_host "$name" "$address/16" "$mac" lan 10.20.0.1; done < <(hosts "$name")
    done
    while read -r name address mac; do add_host "$name" "$address/24" "$mac" guest 10.66.0.1; done < <(hosts guest)
    ip -n lab-gateway addr add 10.66.0.1/24 dev guest

    add_host servers 192.0.2.2/30 00:00:5e:00:53:fe wan 192.0.2.1
    ip -n lab-gateway addr add 192.0.2.1/30 dev wan
    while read -r _ address _; do
        ip -n lab-servers addr add "$address/32" dev eth0
        ip -n lab-gateway route add "$address/32" via 192.0.2.2
    done < <(hosts server)
}

network_down() {
    local namespace
    for namespace in $(ip netns list | awk '/^lab-/ { print $1 }'); do
        ip netns del "$namespace"
        rm -rf "/etc/netns/$namespace"
    done
    rmdir --ignore-fail-on-non-empty /etc/netns 2>/dev/null || true
}
