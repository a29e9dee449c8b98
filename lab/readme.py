"""Writes pcaps/README.md from the comments of captures.sh, the ground truth, and the versions of the programs here."""

import json
import re
import subprocess
from collections import Counter
from pathlib import Path

LAB = Path(__file__).parent
PCAPS = LAB.parent / "pcaps"

HEAD = """# Captures

Recorded by this project: real clients against stand-in servers, in network namespaces of one machine
([how](../lab/README.md)). All patients are invented, all keys too; no packet here ever crossed the Internet.
`make captures` (`lab/record.sh`) records all of them anew, `lab/record.sh NAME` one. This page is written by
`lab/readme.py` at the end of a recording.

**Must be found**: distinct values in requests that can be read without keys; **in TLS** counts requests that cannot,
QUIC's among them; a WebSocket session is one request.
What is harmless, de-identified or in TLS must give no finding of a person's identifier. The intranet of
`sites-decrypted` is the hospital's own: its patient data must raise no alert about an AI service. Per request, with
client, host, path and size: `ground-truth.jsonl`; it holds types and counts, no values (those are in `lab/prompts/`).

| capture | shows | made by | must be found | requests | remade by |
|---|---|---|---|---|---|
"""

FOOT = """
`*-decrypted` are sslsplit's own recording (`-X`) of what it found inside TLS, as an inspecting gateway mirrors it: the
client's address, the server's address and port 443 are the original ones, and the rest of the frame is made up:

- every client has the hardware address 02:00:00:11:11:11 and every server 02:00:00:22:22:22;
- a simulated handshake without TCP options a few microseconds long, window 32767, an ACK after every piece;
- times are those at which sslsplit read, so a long body comes in bursts;
- a browser's spare connection that was never used appears as SYN to FIN without data;
- sslsplit offers no ALPN, so everything is HTTP/1.1; status lines end after the code, as HTTP/1.1 allows.

In the others, frames are as the hospital's switch carries them (Ethernet, 1500 bytes, whole checksums), save
`absolute-uri-proxy` (Linux cooked capture) and `cleartext-llm` (cooked capture v2).
`chatgpt-browser-h2-keys`, `websocket-chat` and `mitmproxy-keys` are pcapng with the TLS secrets of their connections inside;
their requests count as in TLS. `browser-h3` and `aioquic-h3` hold no secrets: what must be found in them is the names.

`squid-icap`, `haproxy-forwarded`, `socks-proxy` and `mitmproxy-keys` hold every leg of a request: from client to proxy,
from Squid to its ICAP server (port 1344), from proxy to service. Each request is listed once, as its client's, whom
X-Client-IP, the PROXY protocol or X-Forwarded-For names where the leg that can be read is not its own.
Each client's own hardware address is in the captures of the switch that have no router between.

Fields of `ground-truth.jsonl`: `requests` readable without keys, in the order of the capture; `encrypted_requests` inside
TLS; `phi` the distinct values by type, per request and per capture (`phi` of the readable requests together,
`encrypted_phi` of the others); `keys_in_file` whether the TLS secrets are inside the capture; `label` phi, deidentified or
harmless; `ai` whether the host is an AI service; `upload` whether a file is sent; `body_bytes` after transfer coding,
before content coding (of a WebSocket session: of all its `messages`, inflated); `user` whom the proxy names by ICAP;
`http_version` of HTTP/3; `quic_sni` the names in the hellos of QUIC that tshark can read. Not counted: dates of care, names
of places, the patients' ages.

Recorded with """

PROGRAMS = {
    "Chromium": ["chromium", "--version"],
    "sslsplit": ["sslsplit", "-V"],
    "tcpdump": ["tcpdump", "--version"],
    "tinyproxy": ["tinyproxy", "-v"],
    "Squid": ["squid", "-v"],
    "HAProxy": ["haproxy", "-v"],
    "Dante": ["danted", "-v"],
    "mitmproxy": ["mitmdump", "--version"],
    "dnsmasq": ["dnsmasq", "--version"],
    "BusyBox udhcpc": ["busybox"],
    "OpenSSL": ["openssl", "version"],
    "tshark": ["tshark", "--version"],
}


def version(command):
    run = subprocess.run(command, capture_output=True, text=True)
    return re.search(r"\d+(\.\d+)+\w*", run.stdout + run.stderr)[0]


def descriptions():
    """The comment line above each function of captures.sh, by the function's name."""
    functions = re.findall(r"^# (.+)\n([a-z0-9-]+)\(\) \{$", (LAB / "captures.sh").read_text(), re.M)
    return {name: text for text, name in functions}


def client(user_agent):
    if "HeadlessChrome" in user_agent:
        return "Chromium " + re.search(r"HeadlessChrome/(\d+)", user_agent)[1]
    if user_agent == "(none)":
        return "openssl s_client"
    return user_agent.replace("/Python", " Python SDK").replace("/", " ")


def found(line):
    if line["keys_in_file"]:
        return "with the keys: " + listed(line["encrypted_phi"])
    return listed(line["phi"])


def listed(counts):
    return ", ".join(f"{count} {kind}" for kind, count in counts.items()) or "nothing"


def requests(line):
    kinds = Counter(request["label"] for request in line["requests"] if request["method"] != "CONNECT")
    kinds["CONNECT"] = sum(request["method"] == "CONNECT" for request in line["requests"])
    kinds["in TLS"] = len(line["encrypted_requests"])
    return listed({kind: count for kind, count in kinds.items() if count})


def row(line, shows):
    name = line["file"].split(".")[0]
    made_by = ", ".join(sorted({client(agent) for agent in line["user_agents"]}))
    cells = [f"`{line['file']}`", shows[name], made_by, found(line), requests(line), f"`lab/record.sh {name}`"]
    return f"| {' | '.join(cells)} |\n"


def main():
    shows = descriptions()
    lines = [json.loads(line) for line in (PCAPS / "ground-truth.jsonl").read_text().splitlines()]
    lines.sort(key=lambda line: list(shows).index(line["file"].split(".")[0]))
    versions = ", ".join(f"{name} {version(command)}" for name, command in PROGRAMS.items())
    (PCAPS / "README.md").write_text(HEAD + "".join(row(line, shows) for line in lines) + FOOT + versions + ".\n")


if __name__ == "__main__":
    main()
