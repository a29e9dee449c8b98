# The proxies that stand between clients and services, each as a hospital sets it up. Sourced by record.sh.

# explicit_proxy: the proxy that clients name themselves.
explicit_proxy() {
    printf '%s\n' 'Port 3128' 'Timeout 60' 'LogLevel Critical' 'DisableViaHeader Yes' > "$RUN/tinyproxy.conf"
    start proxy ip netns exec lab-proxy tinyproxy -d -c "$RUN/tinyproxy.conf"
    until_true listens proxy 3128
}

# scanned_proxy: Squid asks who is there, opens TLS, and shows what it finds to an ICAP server, on one connection.
scanned_proxy() {
    # First: Squid 5.7 fails when uploads wait for a service that never answered OPTIONS.
    start icap ip netns exec lab-icap "$LAB/../benches/icap/null.py" 10.20.0.10 1344 1024
    until_true listens icap 1344
    # Squid leaves root, for a user who cannot enter the lab's folder.
    local folder=$RUN/squid
    chmod o+x "$RUN"
    install -d -o proxy "$folder"
    cat "$RUN/ca/inspection.crt" "$RUN/ca/inspection.key" > "$folder/inspection.pem"
    cp "$RUN/ca/public.crt" "$folder/public.crt"
    /usr/lib/squid/security_file_certgen -c -s "$folder/certificates" -M 4MB >/dev/null
    chown -R proxy "$folder"
    sed "s|@FOLDER@|$folder|" "$LAB/proxies/squid.conf" > "$folder/squid.conf"
    start proxy ip netns exec lab-proxy squid -N -f "$folder/squid.conf"
    until_true listens proxy 3128
}

# balancer: HAProxy, to whom clients speak TLS, in front of the service.
balancer() {
    cat "$RUN/ca/api.openai.com.crt" "$RUN/ca/api.openai.com.key" > "$RUN/api.openai.com.pem"
    sed "s|@FOLDER@|$RUN|" "$LAB/proxies/balancer.cfg" > "$RUN/balancer.cfg"
    start service ip netns exec lab-servers haproxy -db -f "$LAB/proxies/service.cfg"
    until_true listens servers 8080
    start balancer ip netns exec lab-balancer haproxy -db -f "$RUN/balancer.cfg"
    until_true listens balancer 443
}

# socks_proxy: Dante.
socks_proxy() {
    start proxy ip netns exec lab-proxy danted -N 1 -p "$RUN/danted.pid" -f "$LAB/proxies/danted.conf"
    until_true listens proxy 1080
}

# opening_proxy: mitmproxy opens TLS and logs the secrets of both legs.
opening_proxy() {
    mkdir -p "$RUN/mitmproxy"
    cat "$RUN/ca/inspection.key" "$RUN/ca/inspection.crt" > "$RUN/mitmproxy/mitmproxy-ca.pem"
    start proxy ip netns exec lab-proxy env MITMPROXY_SSLKEYLOGFILE="$RUN/keys" mitmdump --quiet \
        --listen-host 10.20.0.9 --listen-port 3128 \
        --set confdir="$RUN/mitmproxy" --set ssl_verify_upstream_trusted_ca="$RUN/ca/public.crt"
    until_true listens proxy 3128
}
