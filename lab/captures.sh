# The captures, a function each: which client says what to whom, and what is recorded of it. Sourced by
# record.sh. The line above a function is what pcaps/README.md says of it.

browser() { on "$1" "$PYTHON" "$LAB/clients/browser.py" "${@:2}"; }
openai() { on "$1" "$PYTHON" "$LAB/clients/openai_sdk.py" "${@:2}"; }
anthropic() { on "$1" "$PYTHON" "$LAB/clients/anthropic_sdk.py" "${@:2}"; }
copilot() { on "$1" env SSLKEYLOGFILE="$RUN/keys" "$PYTHON" "$LAB/clients/copilot_websocket.py" "${@:2}"; }
gemini_grpc() { on "$1" "$PYTHON" "$LAB/clients/generativelanguage_grpc.py" "${@:2}"; }
aioquic() { on "$1" "$PYTHON" "$LAB/clients/aioquic_h3.py" "${@:2}"; }
fetch() { on "$1" curl -sS -o /dev/null "${@:2}"; }
h2() { fetch radiology-ws5 --http2-prior-knowledge -H "$KEY" "$@"; }

P=$LAB/prompts
PROXY=http://10.20.0.9:3128
JSON='Content-Type: application/json'
KEY='Authorization: Bearer sk-lab-invented-0000000000000000000000000000'

# in_two_pieces FILE TEXT: writes the file with a pause after TEXT, so that a client who streams it sends two chunks.
in_two_pieces() {
    local cut
    cut=$(($(grep -obF "$2" "$1" | cut -d: -f1) + ${#2}))
    head -c "$cut" "$1"
    sleep 0.3
    tail -c +"$((cut + 1))" "$1"
}

# across BYTE FILE TEXT: fails unless the text begins before that byte of the file and ends behind it.
across() {
    local begin
    begin=$(grep -obF "$3" "$2" | cut -d: -f1)
    if [ "$begin" -ge "$1" ] || [ $((begin + ${#3})) -le "$1" ]; then return 1; fi
}

# --- opened by the inspecting gateway ---

# ChatGPT in Chromium: two turns of one chat, both with patient data, answers streamed
chatgpt-browser-decrypted() {
    inspect
    browser radiology-ws4 https://chatgpt.com/ "$P/radiology-report.txt" "$P/follow-up.txt"
}

# Claude and Gemini in Chromium: a document inside the JSON of the turn (Claude), JSON in JSON in a form (Gemini)
webchat-browser-decrypted() {
    inspect
    browser radiology-ws5 --file "$P/emergency-note.txt" https://claude.ai/new "$P/summarise-task.txt"
    browser radiology-ws5 https://gemini.google.com/app "$P/psychiatry-note.txt"
}

# OpenAI API by its Python SDK: patient records in chat (plain, streamed), responses, embeddings, on one connection
openai-sdk-decrypted() {
    inspect
    openai research-nb1 chat:"$P/patients.json" stream:"$P/patient-record.json" responses:"$P/psychiatry-note.txt" \
        embed:"$P/radiology-report.txt"
}

# Anthropic API by its Python SDK: notes in messages (plain and streamed) and as a document block
anthropic-sdk-decrypted() {
    inspect
    anthropic research-nb1 message:"$P/emergency-note.txt" stream:"$P/psychiatry-note.txt" \
        document:"$P/radiology-report.txt"
}

# Long files to the OpenAI API as multipart: summaries of 240 patients and a device manual (SDK), the manual (curl)
file-upload-decrypted() {
    inspect
    openai research-nb1 upload:"$RUN/documents/discharge-summaries.txt" upload:"$RUN/documents/device-manual.txt"
    fetch radiology-ws5 -H "$KEY" -H 'Expect: 100-continue' -F purpose=user_data \
        -F file=@"$RUN/documents/device-manual.txt;type=text/plain" https://api.openai.com/v1/files
}

# An unmanaged device in the guest network attaches the summaries of 240 patients to a ChatGPT turn: raw PUT to the blob store
unmanaged-upload-decrypted() {
    inspect
    browser guest-laptop --file "$RUN/documents/discharge-summaries.txt" https://chatgpt.com/ "$P/summarise-task.txt"
}

# Wire forms: gzip body, two chunks cut inside an SSN, Expect: 100-continue, keep-alive, two requests pipelined
curl-forms-decrypted() {
    local api=https://api.openai.com/v1/chat/completions
    inspect
    gzip -nc "$P/api-request.json" |
        fetch radiology-ws5 -H "$KEY" -H "$JSON" -H 'Content-Encoding: gzip' --data-binary @- $api
    in_two_pieces "$P/api-request.json" 'SSN 271-3' | fetch radiology-ws5 -H "$KEY" -H "$JSON" -X POST -T - $api
    fetch radiology-ws5 -H "$KEY" -H "$JSON" -H 'Expect: 100-continue' --data-binary @"$P/api-request.json" $api \
        --next -sS -o /dev/null -H "$KEY" https://api.openai.com/v1/models \
        --next -sS -o /dev/null -H "$KEY" -H "$JSON" --data-binary @"$P/api-request-harmless.json" $api
    on radiology-ws5 "$LAB/clients/pipelined.sh" api.openai.com "$P/api-request-harmless.json" "$P/api-request.json"
}

# De-identified notes to Claude in Chromium and to both APIs by their SDKs: health text, no identifier
deidentified-decrypted() {
    inspect
    browser radiology-ws4 https://claude.ai/new "$P/deidentified-note.txt" "$P/deidentified-letter.txt"
    anthropic research-nb1 message:"$P/deidentified-note.txt"
    openai research-nb1 chat:"$P/deidentified-letter.txt"
}

# Everyday questions to ChatGPT, Gemini and the OpenAI API, one full of numbers shaped like identifiers
harmless-decrypted() {
    inspect
    browser radiology-ws5 https://chatgpt.com/ "$P/recipe.txt" "$P/code.txt"
    browser radiology-ws4 https://gemini.google.com/app "$P/holiday.txt"
    openai research-nb1 chat:"$P/lookalikes.txt" stream:"$P/code.txt"
}

# No AI at all: news, a file store, an update check, and patient data posted to the hospital's own intranet
sites-decrypted() {
    inspect
    browser radiology-ws4 https://www.example.org/
    fetch radiology-ws5 https://cdn.example.net/files/driver-4.12.bin
    fetch ct-scanner2 https://updates.example.com/check?product=ct-console\&version=4.11.3
    fetch radiology-ws5 -H "$JSON" --data-binary @"$P/patient-record.json" https://intranet.hospital.example/records
}

# --- as it is on the wire ---

# TLS of curl, both SDKs and Chromium; the scanner's update check is TLS 1.2, its certificate in the clear
clients-encrypted() {
    listen gateway lan 'tcp port 443'
    fetch radiology-ws5 https://www.example.org/
    fetch ct-scanner2 --tls-max 1.2 https://updates.example.com/check
    openai research-nb1 chat:"$P/patients.json"
    anthropic research-nb1 stream:"$P/emergency-note.txt"
    browser radiology-ws4 https://chatgpt.com/ "$P/radiology-report.txt"
    browser radiology-ws4 https://claude.ai/new "$P/deidentified-note.txt"
    browser radiology-ws5 https://gemini.google.com/app "$P/recipe.txt"
}

# Chromium to ChatGPT over HTTP/2, the TLS secrets inside the file (pcapng decryption secrets block)
chatgpt-browser-h2-keys() {
    listen gateway lan 'tcp port 443'
    browser radiology-ws4 --keys "$RUN/keys" https://chatgpt.com/ "$P/radiology-report.txt"
}

# CONNECT to the explicit proxy, then TLS inside: Chromium, the OpenAI SDK, curl
explicit-proxy() {
    explicit_proxy
    listen gateway lan 'tcp port 3128'
    browser radiology-ws4 --proxy "$PROXY" https://chatgpt.com/ "$P/recipe.txt"
    on research-nb1 env https_proxy="$PROXY" "$PYTHON" "$LAB/clients/openai_sdk.py" chat:"$P/patients.json"
    fetch radiology-ws5 -x "$PROXY" https://www.example.org/
}

# Absolute-URI HTTP through the proxy, recorded on the proxy host (Linux cooked capture): news, and two models
absolute-uri-proxy() {
    explicit_proxy
    listen proxy any 'tcp port 3128' -y LINUX_SLL
    fetch radiology-ws4 -x "$PROXY" http://www.example.org/
    fetch radiology-ws5 -x "$PROXY" -H "$KEY" -H "$JSON" --data-binary @"$P/api-request.json" \
        http://api.openai.com/v1/chat/completions
    on research-nb1 env http_proxy="$PROXY" "$PYTHON" "$LAB/clients/openai_sdk.py" \
        --base-url http://llm.example.net:11434/v1 stream:"$P/patient-record.json" chat:"$P/holiday.txt"
}

# A self-hosted model spoken to without TLS, recorded on all interfaces of the notebook (cooked capture v2)
cleartext-llm() {
    listen research-nb1 any 'tcp port 11434'
    openai research-nb1 --base-url http://llm.example.net:11434/v1 \
        chat:"$P/patients.json" stream:"$P/deidentified-letter.txt"
}

# HTTP/2 in the clear on port 443, as some decrypting mirrors show it: curl, two turns and a long upload
cleartext-h2() {
    local site=http://api.openai.com:443
    in_the_clear_on_443
    listen gateway lan 'tcp port 443'
    # A connection each: curl 7.88 fails on a second request with prior knowledge.
    h2 "$site/v1/chat/completions" -H "$JSON" --data-binary @"$P/api-request.json"
    h2 "$site/v1/chat/completions" -H "$JSON" --data-binary @"$P/api-request-harmless.json"
    h2 "$site/v1/files" -F purpose=user_data -F file=@"$RUN/documents/discharge-summaries.txt;type=text/plain"
}

# Chromium over HTTP/3 to ChatGPT and Claude, its hello over two datagrams in shuffled pieces
browser-h3() {
    listen gateway lan 'udp port 443 or tcp port 443'
    browser radiology-ws4 --quic https://chatgpt.com/ "$P/radiology-report.txt"
    browser radiology-ws5 --quic https://claude.ai/new "$P/deidentified-note.txt"
}

# The aioquic client to the OpenAI API over HTTP/3: QUIC version 1, 2, a change from 1 to 2, and version negotiation
aioquic-h3() {
    local api=https://api.openai.com/v1/chat/completions
    listen gateway lan 'udp port 443 or tcp port 443'
    aioquic research-nb1 --quic 1 "$api" "$P/api-request.json"
    aioquic radiology-ws5 --quic 2 "$api" "$P/api-request.json"
    aioquic radiology-ws4 --quic 1to2 "$api" "$P/api-request-harmless.json"
    aioquic ct-scanner2 --quic unknown "$api" "$P/api-request-harmless.json"
}

# Gemini API by Google's gRPC client, in the clear on port 443: whole and streamed answers, then messages in gzip
grpc-sdk() {
    in_the_clear_on_443
    listen gateway lan 'tcp port 443'
    gemini_grpc research-nb1 generate:"$P/radiology-report.txt" stream:"$P/recipe.txt" stream:"$P/emergency-note.txt"
    gemini_grpc radiology-ws5 --gzip generate:"$P/psychiatry-note.txt" stream:"$P/patient-record.json" \
        generate:"$P/holiday.txt"
}

# WebSocket, the TLS secrets inside: Copilot (compression with context takeover, fragments, pings), OpenAI realtime
websocket-chat() {
    listen gateway lan 'tcp port 443'
    copilot radiology-ws4 "$P/recipe.txt" "$P/radiology-report.txt" "$P/follow-up.txt"
    copilot radiology-ws5 --fragments 5 "$P/emergency-note.txt" "$P/deidentified-note.txt"
    copilot ct-scanner2 --uncompressed --fragments 3 "$P/patient-record.json"
    on research-nb1 env SSLKEYLOGFILE="$RUN/keys" "$PYTHON" "$LAB/clients/openai_sdk.py" realtime:"$P/psychiatry-note.txt"
}

# DHCP leases of four hosts with their names, DNS look-ups, and the TLS connections that follow
dhcp-dns-tls() {
    listen gateway lan 'udp port 53 or udp port 67 or tcp port 443'
    local host
    for host in radiology-ws4 radiology-ws5 ct-scanner2 research-nb1; do
        on "$host" busybox udhcpc -q -n -f -i eth0 -x hostname:"$host" -s /bin/true
    done
    fetch radiology-ws5 https://www.example.org/
    openai research-nb1 chat:"$P/recipe.txt"
    fetch radiology-ws4 https://claude.ai/new
}

# --- the legs of real proxies ---

# Squid opens TLS and shows two users' uploads to ICAP on one connection; an MRN lies across the end of a preview
squid-icap() {
    local api=https://api.openai.com/v1 east=http://jeast:invented@10.20.0.9:3128
    local west=(-x http://mwest:invented@10.20.0.9:3128 -H "$KEY")
    across 1024 "$P/across-the-preview.json" 00434812
    head -n 1200 "$RUN/documents/discharge-summaries.txt" > "$RUN/documents/first-summaries.txt"
    head -n 200 "$RUN/documents/device-manual.txt" > "$RUN/documents/first-chapters.txt"
    scanned_proxy
    listen gateway lan 'tcp port 3128 or tcp port 1344 or tcp port 443'
    fetch radiology-ws4 "${west[@]}" -H "$JSON" --data-binary @"$P/across-the-preview.json" $api/chat/completions \
        --next -sS -o /dev/null "${west[@]}" -F purpose=user_data \
        -F file=@"$RUN/documents/first-chapters.txt;type=text/plain" $api/files
    on research-nb1 env https_proxy="$east" "$PYTHON" "$LAB/clients/openai_sdk.py" chat:"$P/patients.json" \
        upload:"$RUN/documents/first-summaries.txt"
    fetch radiology-ws4 "${west[@]}" -H "$JSON" --data-binary @"$P/api-request-harmless.json" $api/chat/completions
}

# HAProxy opens TLS and names the client in the clear behind it: PROXY protocol 2 and 1, X-Forwarded-For
haproxy-forwarded() {
    local api=https://api.openai.com/v1 balancer=(--connect-to ::10.20.0.11:443 -H "$KEY")
    balancer
    listen gateway lan 'host 10.20.0.11'
    fetch radiology-ws4 "${balancer[@]}" -H "$JSON" --data-binary @"$P/api-request.json" $api/chat/completions
    fetch radiology-ws5 "${balancer[@]}" -H "$JSON" --data-binary @"$P/across-the-preview.json" $api/chat/completions
    fetch research-nb1 "${balancer[@]}" -F purpose=user_data -F file=@"$P/patients.json;type=application/json" $api/files
}

# SOCKS 5 by name and SOCKS 4 by address through Dante, both its legs: cleartext, and TLS of curl and Chromium
socks-proxy() {
    local proxy=10.20.0.9:1080 api=http://api.openai.com/v1/chat/completions post=(-H "$KEY" -H "$JSON" --data-binary)
    socks_proxy
    listen gateway lan 'tcp port 1080 or tcp port 80 or tcp port 443'
    fetch radiology-ws4 -x socks5h://$proxy "${post[@]}" @"$P/api-request.json" $api
    fetch radiology-ws5 -x socks4://$proxy "${post[@]}" @"$P/across-the-preview.json" $api
    fetch research-nb1 -x socks4://$proxy "${post[@]}" @"$P/api-request.json" https://api.anthropic.com/v1/messages
    browser radiology-ws4 --proxy socks5://$proxy https://chatgpt.com/ "$P/recipe.txt"
}

# mitmproxy opens TLS, the secrets of both its legs inside the file: Chromium, the OpenAI SDK, curl
mitmproxy-keys() {
    opening_proxy
    listen gateway lan 'tcp port 3128 or tcp port 443'
    browser radiology-ws4 --proxy "$PROXY" https://chatgpt.com/ "$P/radiology-report.txt"
    on research-nb1 env https_proxy="$PROXY" "$PYTHON" "$LAB/clients/openai_sdk.py" chat:"$P/patients.json" \
        upload:"$P/psychiatry-note.txt"
    fetch radiology-ws5 -x "$PROXY" -H "$KEY" -H "$JSON" --data-binary @"$P/api-request.json" \
        https://api.anthropic.com/v1/messages
}
