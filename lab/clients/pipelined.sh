#!/bin/bash
# Posts JSON files as chat completions over one TLS connection, all before the first answer (HTTP/1.1 pipelining, which
# curl and the SDKs no longer do).
#
# usage: pipelined.sh HOST FILE…
set -euo pipefail

host=$1
shift

requests() {
    local file connection
    for file in "$@"; do
        connection=keep-alive
        [ "$file" != "${!#}" ] || connection=close
        printf 'POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n' "$host"
        printf 'Connection: %s\r\nContent-Length: %d\r\n\r\n' "$connection" "$(stat -c %s "$file")"
        cat "$file"
    done
}

# Gathered first, so that both requests leave in one write; then a pause, since openssl leaves when its input ends.
all=$(mktemp)
trap 'rm "$all"' EXIT
requests "$@" > "$all"
{ cat "$all"; sleep 1; } | openssl s_client -quiet -connect "$host:443" -servername "$host" -CAfile "$SSL_CERT_FILE" >/dev/null 2>&1
