#!/usr/bin/env python3
"""Makes icd10cm.txt, the ICD-10-CM code set, from the code list in the PyPI package simple-icd-10-cm.

    pip download --no-deps simple-icd-10-cm==1.5.0 && python3 icd10cm.py simple_icd_10_cm-1.5.0-py3-none-any.whl

The codes are public data of the CDC's National Center for Health Statistics. Only codes are kept: no descriptions, no
chapters, no blocks. Form: `#` lines, then sorted codes without dots, one a line, front-coded: a digit says how many
leading characters are the previous line's. `*` at the end marks a code that is not billable (it has children).
"""
import re
import sys
import zipfile

wheel = zipfile.ZipFile(sys.argv[1])
source = next(name for name in wheel.namelist() if "code-list" in name)
# The package heads its list with a version line and names chapters ("1") and blocks ("A00-A09") too.
lines = (line.strip() for line in wheel.read(source).decode().splitlines())
known = {line for line in lines if re.fullmatch(r"[A-Z][0-9A][0-9AB][0-9A-Z]{0,4}", line)}
codes = sorted(known)
parents = {code[:length] for code in codes for length in range(3, len(code))}
out = [
    "# ICD-10-CM codes, made by icd10cm.py; do not edit.",
    f"# Source: CDC/NCHS ICD-10-CM tabular list, {source.rsplit('/', 1)[-1]} in PyPI simple-icd-10-cm 1.5.0.",
    f"# Codes: {len(codes)}, billable {len(known - parents)}.",
]
previous = ""
for code in codes:
    shared = 0
    while shared < min(len(previous), len(code)) and previous[shared] == code[shared]:
        shared += 1
    out.append(f"{shared}{code[shared:]}{'*' if code in parents else ''}")
    previous = code
with open("icd10cm.txt", "w") as file:
    file.write("\n".join(out) + "\n")
print(out[2][2:], f"{sum(map(len, out)) + len(out)} bytes")
