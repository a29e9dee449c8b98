# Makes the lab's certificates, anew on every run and never committed: a public authority with a certificate for each
# stand-in server, and the hospital's own authority, with which the inspecting gateway forges them. Sourced by record.sh.

make_certificates() {
    local dir=$RUN/ca name
    mkdir -p "$dir"
    authority "$dir/public" "Lab Public CA"
    authority "$dir/inspection" "Hospital TLS Inspection CA"
    cat "$dir/public.crt" "$dir/inspection.crt" > "$dir/bundle.crt"
    while read -r name _; do certificate "$dir" "$name" "DNS:$name"; done < <(hosts server)
    # The server of QUIC has one for all names.
    certificate "$dir" quic "$(hosts server | awk '{ printf "%sDNS:%s", separator, $1; separator = "," }')"

    # Chromium reads no bundle file; it takes extra authorities from the NSS database of its user.
    local nss=$RUN/home/.pki/nssdb
    mkdir -p "$nss"
    certutil -d "sql:$nss" -N --empty-password
    for name in public inspection; do certutil -d "sql:$nss" -A -t C,, -n "lab $name" -i "$dir/$name.crt"; done
}

# certificate DIR NAME NAMES: of the public authority.
certificate() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1/$2.key" -subj "/CN=$2" 2>/dev/null |
        openssl x509 -req -days 90 -CA "$1/public.crt" -CAkey "$1/public.key" -CAcreateserial \
            -extfile <(echo "subjectAltName=$3") -out "$1/$2.crt" 2>/dev/null
}

# RSA, because sslsplit forges with the key type of its authority.
authority() {
    openssl req -x509 -newkey rsa:2048 -nodes -days 365 -keyout "$1.key" -out "$1.crt" -subj "/O=shadowtap lab/CN=$2" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}
