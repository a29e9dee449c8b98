#!/usr/bin/env python3
"""What shadowtap still finds when somebody tampers with the packets: fragroute (in tcprewrite) rewrites the project's
decrypted captures, once in both directions and once from the client alone, and each alert of the capture as it was must
come, or an event must say of its flow that it was tampered with. Ends with 1 where neither happens: silence.
"not made" are alerts of captures that the tool itself cannot change so, or not within minutes.
Needs tcprewrite and tcpprep (apt-get install tcpreplay).

usage: run.py [--verbose] SHADOWTAP [CAPTURE…]     without captures, those of pcaps/ that can be read without keys
"""
import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PCAPS = HERE.parents[1] / "pcaps"
DIRECTIONS = ("both", "c2s")
# Events of reassembly that say so. `stream_gap` does not: bytes that are missing are the capture's fault as a rule.
TAMPERING = {"stream_overlap_different_data", "fragment_overlap_different_data"}
# tcprewrite takes minutes for a megabyte in single bytes: longer captures are left out there.
MAX_BYTES_ONE_BY_ONE = 200_000


def variants():
    """Name and rules of each line of variants.txt."""
    lines = (line.strip() for line in (HERE / "variants.txt").read_text().splitlines())
    for line in lines:
        if line and not line.startswith("#"):
            name, rules = line.split(": ", 1)
            yield name, "".join(f"{rule.strip()}\n" for rule in rules.split(";"))


def ends(event):
    """The flow of an event, whichever way round it is told."""
    return frozenset([(event["src_ip"], event["src_port"]), (event["dest_ip"], event["dest_port"])])


def replay(shadowtap, capture, folder):
    """What the events say: the types found, by flow and policy, and the flows that were tampered with."""
    subprocess.run([shadowtap, "replay", "--out", folder, capture], check=True, capture_output=True)
    found, tampered = collections.defaultdict(set), set()
    for line in open(folder / "eve.jsonl"):
        event = json.loads(line)
        match event["event_type"]:
            case "alert":
                told = event["alert"]["context"]["shadowtap"]
                found[ends(event), told["policy"]].update(finding["type"] for finding in told["findings"])
            case "anomaly" if event["anomaly"]["event"] in TAMPERING:
                tampered.add(ends(event))
            case "ai_activity" if "tampered" in event["ai"].get("content", {}).get("flags", []):
                tampered.add(ends(event))
    return found, tampered


def rewrite(capture, rules, direction, folder):
    """The capture as these rules leave it; None where the tool fails."""
    cache, written, changed = folder / "cache", folder / "rules", folder / "changed.pcap"
    written.write_text(rules)
    changed.unlink(missing_ok=True)
    subprocess.run(["tcpprep", "--port", f"--pcap={capture}", f"--cachefile={cache}"], check=True, capture_output=True)
    made = subprocess.run(["tcprewrite", f"--infile={capture}", f"--outfile={changed}", f"--fragroute={written}",
                           f"--fragdir={direction}", f"--cachefile={cache}"], capture_output=True)
    return changed if made.returncode == 0 else None


def row(variant, direction, result):
    counts = (str(result[verdict]) for verdict in ("found", "told", "silent", "not made"))
    return f"| {variant} | {direction} | {' | '.join(counts)} |"


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--verbose"]
    verbose = len(arguments) < len(sys.argv) - 1
    if not arguments:
        sys.exit(__doc__)
    for tool in ("tcprewrite", "tcpprep"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not here: apt-get install tcpreplay")
    shadowtap = pathlib.Path(arguments[0]).resolve()
    captures = [pathlib.Path(capture) for capture in arguments[1:]]
    captures = captures or sorted([*PCAPS.glob("*decrypted.pcap"), PCAPS / "cleartext-h2.pcap"])
    total = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        expected = {capture: replay(shadowtap, capture, folder)[0] for capture in captures}
        expected = {capture: alerts for capture, alerts in expected.items() if alerts}
        count = sum(map(len, expected.values()))
        print(f"{count} alerts (by flow and policy) of {len(expected)} captures\n")
        print("| variant | direction | found | told | silent | not made |\n|---|---|---|---|---|---|")
        for variant, rules in variants():
            for direction in DIRECTIONS:
                result = collections.Counter()
                for capture, alerts in expected.items():
                    too_long = rules == "tcp_seg 1\n" and capture.stat().st_size > MAX_BYTES_ONE_BY_ONE
                    changed = None if too_long else rewrite(capture, rules, direction, folder)
                    if not changed:
                        result["not made"] += len(alerts)
                        continue
                    found, tampered = replay(shadowtap, changed, folder)
                    for (flow, policy), types in alerts.items():
                        is_found = types <= found[flow, policy]
                        verdict = "found" if is_found else "told" if flow in tampered else "silent"
                        result[verdict] += 1
                        if verdict == "silent" or verbose and verdict == "told":
                            print(f"{verdict}: {variant}, {direction}, {capture.name}, {policy}", file=sys.stderr)
                total += result
                way = "both" if direction == "both" else "client's"
                print(row(variant, way, result), flush=True)
                if not result["found"] + result["told"] + result["silent"]:
                    sys.exit(f"tcprewrite makes nothing of: {variant}")
    print(row("all", "", total))
    if total["silent"]:
        sys.exit(f"{total['silent']} alerts vanished in silence")


main()
