"""Writes down what a capture holds, as a line of pcaps/ground-truth.jsonl.

usage: truth.py CAPTURE --log FILE --values FILE --into FILE

The requests are those the stand-in servers received; tshark, reading the capture, says which of them are readable in it
and who sent them. The two must agree, or nothing is written. Values are counted (distinct ones), never written.
"""

import argparse
import base64
import json
import re
import subprocess
from collections import Counter
from pathlib import Path

from content import text_of
from servers import grpc
from servers.__main__ import HANDLERS as AI_HOSTS

LAB = Path(__file__).parent
HOSTS = [line.split() for line in (LAB / "hosts.tsv").read_text().splitlines() if not line.startswith("#")]
PROXIES = {address for kind, address, *_ in HOSTS if kind in ("proxy", "balancer")}
NAMES = {address: name for _, address, name, *_ in HOSTS}
CLEARTEXT_PORTS = (443, 3128, 11434)
SEPARATOR = "|"


def tshark(capture, frames, *fields, cleartext_ports=(), options=()):
    """The fields of each frame, a list a field: a frame may hold several requests."""
    command = ["tshark", *options, "-r", capture, "-Y", frames, "-T", "fields", f"-Eaggregator={SEPARATOR}"]
    command += [f"-dtcp.port=={port},http" for port in cleartext_ports]
    command += [f"-e{field}" for field in fields]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return [[field.split(SEPARATOR) for field in line.split("\t")] for line in output.splitlines()]


def readable(capture):
    """The requests that anyone can read in the capture, without keys, in its order."""
    return [seen for _, seen in sorted([*in_http(capture), *in_icap(capture)], key=lambda each: each[0])]


def in_http(capture):
    """Frame numbers and requests. What a proxy sends and names no client for is told by its client's own request."""
    place = ("frame.number", "tcp.stream", "ip.src", "http.x_forwarded_for")
    http1 = ("http.request.method", "http.host", "http.request.uri", "http.content_length_header")
    http2 = ("http2.headers.method", "http2.headers.authority", "http2.headers.path", "http2.headers.content_length")
    frames = "(http.request and not icap) or (http2.headers.method and not tls)"
    announced = announced_clients(capture)
    for line in tshark(capture, frames, *place, *http1, *http2, cleartext_ports=CLEARTEXT_PORTS):
        [number], [stream], [sender], [forwarded], *fields = line
        client = announced.get(stream, forwarded or sender) if sender in PROXIES else sender
        if client in PROXIES:
            continue
        methods, hosts, uris, lengths = fields[:4] if fields[0] != [""] else fields[4:]
        if len(lengths) != len(methods):
            lengths = [""] * len(methods)
        for method, host, uri, length in zip(methods, hosts, uris, lengths, strict=True):
            yield int(number), {
                "client": client,
                "host": host.split(":")[0],
                "method": method,
                "path": uri.removeprefix(f"http://{host}") if method != "CONNECT" else uri,
                "length": int(length) if length else None,
            }


def announced_clients(capture):
    """By stream, the client that a header of the PROXY protocol names."""
    fields = ("tcp.stream", "proxy.src.ipv4")
    headers = tshark(capture, "proxy.src.ipv4", *fields, options=["-otcp.try_heuristic_first:TRUE"])
    return {stream: client for [stream], [client] in headers}


def in_icap(capture):
    """Frame numbers and the requests that a proxy shows to its scanner, each with the user whom it names. CONNECT is the
    client's own already."""
    for [number], lines in tshark(capture, "icap.reqmod", "frame.number", "text"):
        lines = [line.removesuffix("\\r\\n") for line in lines]
        fields = dict(line.split(": ", 1) for line in lines if ": " in line)
        request = re.search(r"^([A-Z]+) https?://([^/:]+)(/\S*) HTTP/1\.1$", "\n".join(lines), re.M)
        if request:
            yield int(number), {
                "client": fields["X-Client-IP"],
                "host": request[2],
                "method": request[1],
                "path": request[3],
                "length": int(fields["Content-Length"]) if "Content-Length" in fields else None,
                "user": fields["X-Client-Username"],
            }


def tunnels_by_socks(capture):
    """By the host that is asked for, the client. Of a stream the first frame counts: in later ones tshark repeats the
    command beside what it takes for an address."""
    asked = {}
    fields = ("tcp.stream", "ip.src", "socks.remote_name", "socks.dst")
    for [stream], [client], [name], [address] in tshark(capture, "socks.command == 1", *fields):
        asked.setdefault(stream, (name or NAMES.get(address), client))
    return dict(asked.values())


class Planted:
    """The identifiers planted in the prompts, and the first lines by which a de-identified prompt is known."""

    def __init__(self, values):
        rows = [line.split("\t") for line in values.read_text().splitlines() if not line.startswith("#")]
        self.values = {(kind, value) for _, kind, value in rows}
        self.deidentified = [file.read_text().splitlines()[0] for file in (LAB / "prompts").glob("deidentified-*.txt")]

    def in_text(self, text):
        return {(kind, value) for kind, value in self.values if stands_in(value, text)}

    def label(self, found, text):
        if any(kind != "icd10" for kind, _ in found):
            return "phi"
        return "deidentified" if any(line in text for line in self.deidentified) else "harmless"


def stands_in(value, text):
    """Whether a value is in the text as a word of its own: I10 is not in I100."""
    start = text.find(value)
    while start >= 0:
        end = start + len(value)
        if not text[start - 1 : start].isalnum() and not text[end : end + 1].isalnum():
            return True
        start = text.find(value, end)
    return False


def counts(found):
    return dict(sorted(Counter(kind for kind, _ in found).items()))


def describe(entry, client, planted):
    text = text_of(entry)
    found = planted.in_text(text)
    upload = entry["method"] == "PUT" or entry["path"] == "/v1/files" or "extracted_content" in text
    request = {key: entry[key] for key in ("host", "method", "path")}
    size = sum(len(base64.b64decode(part)) for part in entry.get("messages", [entry["body"]]))
    if entry["http_version"] == "3":
        request["http_version"] = "3"
    if "messages" in entry:
        request["messages"] = len(entry["messages"])
    return found, {
        "client": client, **request, "body_bytes": size, "phi": counts(found), "label": planted.label(found, text),
        "ai": entry["host"] in AI_HOSTS, "upload": upload,
    }


def truth(capture, entries, planted):
    unseen = list(entries)
    tunnels, requests, all_found = dict(tunnels_by_socks(capture)), [], set()
    for seen in readable(capture):
        if seen["method"] == "CONNECT":
            tunnels[seen["host"]] = seen["client"]
            requests.append(connect(seen))
            continue
        entry = take(unseen, seen)
        found, request = describe(entry, seen["client"], planted)
        requests.append(request | {key: seen[key] for key in ("user",) if key in seen})
        all_found |= found
    hidden, hidden_found = [], set()
    for entry in unseen:
        client = tunnels[entry["host"]] if entry["client"] in PROXIES else entry["client"]
        found, request = describe(entry, client, planted)
        hidden.append(request)
        hidden_found |= found
    over_quic = server_names(capture, "quic")
    return {
        "file": Path(capture).name,
        "tls_sni": server_names(capture, "tcp"),
        **({"quic_sni": over_quic} if over_quic else {}),
        "http_hosts": sorted({request["host"] for request in requests}),
        "phi": counts(all_found),
        "encrypted_phi": counts(hidden_found),
        "keys_in_file": capture.endswith(".pcapng"),
        "requests": requests,
        "encrypted_requests": hidden,
        "user_agents": sorted({entry["headers"].get("user-agent", "(none)") for entry in entries}),
    }


def server_names(capture, carrier):
    names = tshark(capture, f"tls.handshake.type == 1 and {carrier}", "tls.handshake.extensions_server_name")
    return sorted({name for [hello] in names for name in hello if name})


def connect(seen):
    return {
        "client": seen["client"], "host": seen["host"], "method": "CONNECT", "path": seen["path"], "body_bytes": 0,
        "phi": {}, "label": "harmless", "ai": seen["host"] in AI_HOSTS, "upload": False,
    }


def take(entries, seen):
    """Takes the first entry of the servers' log that the request seen in the capture can be."""
    for entry in entries:
        size = len(base64.b64decode(entry["body"]))
        same = all(entry[key] == seen[key] for key in ("host", "method", "path"))
        same &= entry["headers"].get("x-forwarded-for", seen["client"]) == seen["client"]
        if same and seen["length"] in (None, size):
            entries.remove(entry)
            return entry
    raise SystemExit(f"truth.py: the capture has a request that no server received: {seen}")


def check(line, capture):
    """A decrypted capture must hold every request, and none may have holes."""
    if "-decrypted" in capture and line["encrypted_requests"]:
        raise SystemExit(f"truth.py: not readable in {capture}: {line['encrypted_requests']}")
    ports = CLEARTEXT_PORTS if "-decrypted" in capture else ()
    faults = "tcp.analysis.lost_segment or tcp.analysis.ack_lost_segment or _ws.malformed"
    holes = tshark(capture, faults, "frame.number", cleartext_ports=ports)
    if holes:
        raise SystemExit(f"truth.py: holes or malformed frames in {capture}: {holes}")


def confirm(capture, line, entries):
    """What tshark reads of QUIC, gRPC and WebSocket must be what the servers received."""
    hosts = {entry["host"] for entry in entries if entry["http_version"] == "3"}
    same(capture, "names in QUIC", hosts, set(line.get("quic_sni", [])))

    bodies = [base64.b64decode(e["body"]) for e in entries if e["headers"].get("content-type") == "application/grpc"]
    calls = tshark(capture, "grpc and tcp.dstport == 443", "grpc.message_length", cleartext_ports=CLEARTEXT_PORTS)
    lengths = sorted(len(message) for body in bodies for _, message in grpc.frames(body))
    same(capture, "gRPC messages", lengths, sorted(int(length) for [call] in calls for length in call))

    said = [base64.b64decode(text).decode() for entry in entries for text in entry.get("messages", [])]
    opcodes = tshark(capture, "websocket.mask == 1", "websocket.opcode")
    same(capture, "WebSocket messages", len(said), sum(opcode in "12" for [frame] in opcodes for opcode in frame))
    # It inflates what comes in one frame; of a message in several, it shows the compressed bytes.
    whole = "websocket.mask == 1 and websocket.opcode == 1 and websocket.fin == 1"
    texts = [text for [frame] in tshark(capture, whole, "websocket.payload.text") for text in frame]
    same(capture, "texts that nobody said", set(), set(texts) - set(said))


def same(capture, what, received, seen):
    if received != seen:
        raise SystemExit(f"truth.py: {what} in {capture}: the servers received {received}, tshark sees {seen}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("capture")
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--values", type=Path, required=True)
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()

    entries = [json.loads(line) for line in options.log.read_text().splitlines()]
    line = truth(options.capture, entries, Planted(options.values))
    check(line, options.capture)
    confirm(options.capture, line, entries)

    file = options.into
    lines = [json.loads(old) for old in file.read_text().splitlines()] if file.exists() else []
    lines = [old for old in lines if old["file"] != line["file"]] + [line]
    file.write_text("".join(json.dumps(each) + "\n" for each in sorted(lines, key=lambda each: each["file"])))


if __name__ == "__main__":
    main()
