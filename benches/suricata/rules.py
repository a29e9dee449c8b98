#!/usr/bin/env python3
"""Writes Suricata 8 rules that look for what the benchmark's captures hold: all hosts of the catalogue, and seven kinds
of identifiers in the bodies of POST requests.

usage: rules.py SHADOWTAP FOLDER      (the binary whose catalogue it is; where ai.rules and its datasets go)

Version 8 matches datasets as whole strings. Names and registered domains go there; suffixes below a registered domain,
and globs, are content rules.
"""
import base64
import json
import pathlib
import subprocess
import sys

BUFFERS = [
    ("http", "http.host", "flow:established,to_server; "),
    ("tls", "tls.sni", "flow:established,to_server; "),
    ("dns", "dns.query", ""),
    ("quic", "quic.sni", ""),
]
DATE = r"(?:\d{1,2}[\/.-]\d{1,2}[\/.-]\d{2,4}|\d{4}-\d{2}-\d{2}|[a-z]{3,9}\s\d{1,2},?\s\d{4})"
IDENTIFIERS = {
    "ssn": r'pcre:"/\b(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}\b/";',
    "mrn": r'content:"MRN"; fast_pattern; pcre:"/\bMRN[:#\s]{1,3}\d{6,10}\b/";',
    "icd10": r'pcre:"/\b[A-TV-Z]\d[0-9AB]\.[0-9A-Z]{1,4}\b/";',
    "npi": r'content:"NPI"; fast_pattern; pcre:"/\bNPI[:#\s]{1,3}[12]\d{9}\b/";',
    "phone": r'pcre:"/(?:\(\d{3}\)\s?|\b\d{3}[-.])\d{3}[-.]\d{4}\b/";',
    "email": r'content:"@"; fast_pattern; pcre:"/\b[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}\b/";',
    "dob": r'content:"dob"; nocase; fast_pattern; pcre:"/\bdob[:\s]{1,3}' + DATE + r'/i";',
    "date of birth": r'content:"date of birth"; nocase; fast_pattern; pcre:"/\bdate of birth[:\s]{1,3}' + DATE + r'/i";',
    "born on": r'content:"born on"; nocase; fast_pattern; pcre:"/\bborn on\s' + DATE + r'/i";',
}


def catalogue(shadowtap):
    """Host rules by how they match; those under another's suffix would only alert twice."""
    hosts = {"exact": set(), "suffix": set(), "glob": set()}
    listing = subprocess.run([shadowtap, "catalog", "list", "--json"], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        for host in json.loads(line)["hosts"]:
            hosts[host["match"]].add(host["host"].lower())
    suffixes = hosts["suffix"]

    def is_covered(host):
        labels = host.split(".")
        return any(".".join(labels[first:]) in suffixes for first in range(1, len(labels)))

    hosts["exact"] = {host for host in hosts["exact"] if host not in suffixes and not is_covered(host)}
    hosts["suffix"] = {host for host in suffixes if not is_covered(host)}
    return hosts


def dataset(path, names):
    path.write_text("".join(base64.b64encode(name.encode()).decode() + "\n" for name in sorted(names)))
    return path.resolve()


def main(shadowtap, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    hosts = catalogue(shadowtap)
    registered = {host for host in hosts["suffix"] if host.count(".") == 1}
    deeper = hosts["suffix"] - registered
    names = dataset(folder / "ai-names.lst", hosts["exact"] | deeper)
    domains = dataset(folder / "ai-domains.lst", registered)
    rules = []

    def rule(protocol, message, body):
        sid = 10000 + len(rules)
        rules.append(f'alert {protocol} any any -> any any (msg:"{message}"; {body} sid:{sid}; rev:1;)\n')

    for name, pattern in IDENTIFIERS.items():
        post = 'flow:established,to_server; http.method; content:"POST"; http.request_body; '
        rule("http", f"PHI {name}", post + pattern)
    for protocol, buffer, flow in BUFFERS:
        # Suricata has http.host in lower case already.
        lower, nocase = ("", "") if buffer == "http.host" else (" to_lowercase;", " nocase;")
        rule(protocol, "AI host", f"{flow}{buffer};{lower} dataset:isset,ai-names,type string,load {names};")
        rule(protocol, "AI domain", f"{flow}{buffer};{lower} domain; dataset:isset,ai-domains,type string,load {domains};")
        for host in sorted(deeper):
            rule(protocol, f"AI host {host}", f'{flow}{buffer}; content:".{host}"; endswith;{nocase}')
        for host in sorted(hosts["glob"]):
            first, *_, last = host.split("*")
            parts = f' content:"{first}"; startswith;{nocase}' if first else ""
            parts += f' content:"{last}"; endswith;{nocase}' if last else ""
            rule(protocol, f"AI host {host}", f"{flow}{buffer};{parts}")
    (folder / "ai.rules").write_text("".join(rules))


if len(sys.argv) != 3:
    sys.exit(__doc__)
main(sys.argv[1], sys.argv[2])
