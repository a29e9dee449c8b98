#!/bin/bash
# Scores `shadowtap scan` on labelled documents. usage: .ci/eval.sh CORPUS
#
# CORPUS holds phi/dev.jsonl (documents with `id`, `text`, spans) and phi/score.py, which reads predictions as
# {"id":…,"phi":bool,"label":…,"entities":[[TYPE,start,end],…]} with byte offsets.
set -euo pipefail
cd "$(dirname "$0")/.."

corpus=$1/phi
if [ ! -f "$corpus/dev.jsonl" ] || [ ! -f "$corpus/score.py" ]; then
    echo "No labelled documents in $corpus. Name their folder: make eval CORPUS=DIR" >&2
    exit 1
fi
command -v python3 >/dev/null || { echo "The scorer needs python3." >&2; exit 1; }

out=target/eval
mkdir -p "$out"
target/release/shadowtap scan --format jsonl --field text "$corpus/dev.jsonl" >"$out/results.jsonl"
python3 - "$out/results.jsonl" >"$out/predictions.jsonl" <<'PYTHON'
import json
import sys

# The scorer's names, where they are not ours in capitals.
NAMES = {"age_over_89": "AGE90", "fax": "PHONE", "hcpcs": "CPT", "plate": "VIN"}

with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        result = json.loads(line)
        entities = [
            [NAMES.get(finding["type"], finding["type"].upper()), finding["start"], finding["end"]]
            for finding in result["findings"]
        ]
        label = result["classification"]
        print(json.dumps({"id": result["id"], "phi": label == "phi", "label": label, "entities": entities}))
PYTHON
python3 "$corpus/score.py" "$out/predictions.jsonl" --bytes
