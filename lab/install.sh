#!/bin/bash
# Installs what the lab needs: Debian packages, and the Python clients at the versions of requirements.txt.
set -euo pipefail

LAB=$(cd "$(dirname "$0")" && pwd)
PROGRAMS=(ip iptables ethtool tcpdump tshark sslsplit tinyproxy squid haproxy danted mitmdump dnsmasq busybox curl
    openssl certutil chromium)
PACKAGES=(iproute2 iptables ethtool tcpdump tshark sslsplit tinyproxy-bin squid-openssl haproxy dante-server mitmproxy
    dnsmasq-base busybox curl openssl libnss3-tools chromium python3-venv)

# Of Squid's packages, this one alone makes certificates.
CERTIFICATES=/usr/lib/squid/security_file_certgen

if ! type "${PROGRAMS[@]}" "$CERTIFICATES" >/dev/null 2>&1 || ! python3 -c 'import ensurepip' 2>/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq -o DPkg::Lock::Timeout=300 update
    apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${PACKAGES[@]}" >/dev/null
fi
if ! cmp -s "$LAB/requirements.txt" "$LAB/.venv/installed.txt"; then
    python3 -m venv --clear "$LAB/.venv"
    "$LAB/.venv/bin/pip" install --quiet -r "$LAB/requirements.txt"
    cp "$LAB/requirements.txt" "$LAB/.venv/installed.txt"
fi
