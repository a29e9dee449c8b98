#!/usr/bin/env python3
"""Figures of what load.py timed. usage: figures.py TIMES [EVE.jsonl]"""
import collections
import json
import statistics
import sys

NAMES = {"3128": "no ICAP", "3129": "null server", "3130": "shadowtap"}

times, failed = collections.defaultdict(list), collections.Counter()
for line in open(sys.argv[1]):
    port, _, took, status = line.split()
    times[port].append(float(took))
    failed[port] += status != "200"
for port, of_port in sorted(times.items()):
    centiles = statistics.quantiles(of_port, n=100)
    print(f"{NAMES[port]:12} {len(of_port)} uploads, {failed[port]} failed; median {statistics.median(of_port):8.1f} ms, "
          f"p95 {centiles[94]:8.1f} ms")
if {"3129", "3130"} <= times.keys():
    print(f"difference of medians {statistics.median(times['3130']) - statistics.median(times['3129']):+.1f} ms")
if len(sys.argv) > 2:
    events = [json.loads(line) for line in open(sys.argv[2])]
    told = [event["ai"] for event in events if event["event_type"] == "ai_activity" and event["ai"].get("final")]
    found = sum(ai.get("content", {}).get("findings", {}).get("mrn", 0) > 0 for ai in told)
    print(f"exchanges told: {len(told)}, with the patient found: {found} (of all REQMOD below, the first round included)")
