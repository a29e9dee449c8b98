"""Writes the lab's two long documents, the same on every run, and appends what it planted to a list of values.

usage: make_documents.py FOLDER VALUES

discharge-summaries.txt: about 450 KB, an invented patient every 2 KB. device-manual.txt: about 330 KB, no patient.
"""

import random
import sys
from datetime import date, timedelta
from pathlib import Path

PATIENTS = 240
SECTIONS = 310

GIVEN = """
    Alaric Beatrix Caspian Delphine Edmund Freya Gideon Hester Ignatius Juniper Lambert Mathilda Norbert Ottilie
""".split()
FAMILY = """
    Ashcombe Birdwhistle Cattermole Drinkwater Elphinstone Fotheringay Greenhalgh Hollingberry Inchbald Jellicoe
""".split()
STREETS = "Weir Lane,Foundry Street,Orchard Rise,Ropewalk,Chapel Hill,Tannery Road".split(",")
CONDITIONS = {
    "I50.22": ("chronic systolic heart failure", "furosemide 40 mg", "lower leg edema and weight gain of 4 kg"),
    "J44.1": ("COPD with acute exacerbation", "prednisone 40 mg for five days", "productive cough and wheezing"),
    "E11.65": ("type 2 diabetes with hyperglycemia", "insulin glargine 14 units", "polyuria and a glucose of 412 mg/dL"),
    "N17.9": ("acute kidney failure", "intravenous fluids", "creatinine of 3.1 mg/dL after a week of vomiting"),
    "I48.91": ("atrial fibrillation", "apixaban 5 mg BID", "palpitations with a heart rate of 142"),
    "K80.00": ("gallstones with acute cholecystitis", "piperacillin/tazobactam", "right upper quadrant pain and fever"),
    "S72.001A": ("fracture of the right femoral neck", "enoxaparin 40 mg", "a fall at home with hip pain"),
    "J18.9": ("pneumonia", "ceftriaxone and azithromycin", "fever, chills and a right lower lobe infiltrate"),
}
COURSE = [
    "The hospital course was without complications.",
    "Oxygen was weaned on the second day and vital signs stayed stable.",
    "Pain was controlled with acetaminophen; the patient walked with physiotherapy before discharge.",
    "Blood cultures remained negative after 48 hours.",
    "Potassium was replaced and laboratory values returned to baseline.",
    "Cardiology was consulted and agreed with the management.",
    "Social work arranged home nursing twice a week.",
    "The medication list was reconciled with the family doctor.",
]
MANUAL = [
    "Disconnect the console from mains before opening the rear panel.",
    "The pump restarts by itself when the pressure falls below the threshold set in menu 4.2.",
    "Replace filter cartridges every 2,000 operating hours; order them under the part number on the label.",
    "Firmware is installed from a memory stick; the display shows a progress bar and then restarts.",
    "If error 0x41-22-1180 appears, check the connector at the left of the power board.",
    "Tighten the four screws crosswise with 2.5 Nm.",
    "Calibration takes eight minutes and needs an ambient temperature between 18 and 26 degrees.",
    "Store spare batteries in a dry place at half charge.",
    "The network module supports static and dynamic addresses; the default is 192.168.1.10.",
]


def patients(rng):
    for number in range(PATIENTS):
        area = rng.choice([n for n in range(101, 730) if n not in (123, 219, 457, 666)])
        born = date(1930, 1, 1) + timedelta(days=rng.randrange(27000))
        yield {
            "name": f"{rng.choice(GIVEN)} {rng.choice(FAMILY)}",
            "dob": born.strftime("%m/%d/%Y"),
            "mrn": f"{610000 + 37 * number:08d}",
            "ssn": f"{area}-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}",
            "phone": f"413-555-01{rng.randrange(100):02d}",
            "address": f"{rng.randrange(1, 99)} {rng.choice(STREETS)}, Easthollow, MA 01099",
            "icd10": rng.sample(sorted(CONDITIONS), 2),
        }


def summary(patient, rng):
    first, second = (CONDITIONS[code] for code in patient["icd10"])
    admitted = date(2026, 1, 2) + timedelta(days=rng.randrange(300))
    left = admitted + timedelta(days=rng.randrange(2, 12))
    pressure = f"{rng.randrange(108, 148)}/{rng.randrange(60, 92)}"
    course = " ".join(rng.sample(COURSE, 6))
    detail = " ".join(rng.sample(COURSE, 5))
    return f"""DISCHARGE SUMMARY
Patient: {patient["name"]}
DOB: {patient["dob"]}    MRN: {patient["mrn"]}    SSN: {patient["ssn"]}
Address: {patient["address"]}    Phone: {patient["phone"]}
Admitted: {admitted:%m/%d/%Y}    Discharged: {left:%m/%d/%Y}

Principal diagnosis: {patient["icd10"][0]} {first[0]}
Secondary diagnosis: {patient["icd10"][1]} {second[0]}

HISTORY OF PRESENT ILLNESS
The patient presented to the emergency department with {first[2]}. There was also a history of {second[0]}, treated
with {second[1]} before admission. No known drug allergies. Family history was not contributory.

HOSPITAL COURSE
Treatment with {first[1]} was started on arrival. {course}
On the last day before discharge the patient had no fever, blood pressure was {pressure} mmHg and oxygen
saturation was {rng.randrange(93, 99)} % on room air. {detail}

DISCHARGE MEDICATIONS
1. {first[1]}
2. {second[1]}
3. acetaminophen 500 mg as needed for pain, at most 3 g a day

FOLLOW-UP
Appointment with the family doctor within {rng.randrange(5, 15)} days, laboratory control of electrolytes and creatinine.
The patient was told to return in case of chest pain, shortness of breath, fever above 101 F or new weakness.

"""


def manual(rng):
    for number in range(1, SECTIONS + 1):
        lines = "\n".join(rng.choice(MANUAL) for _ in range(13))
        yield f"{number}. Maintenance step {number} of {SECTIONS}\n\n{lines}\n\n"


def main():
    folder, values = Path(sys.argv[1]), Path(sys.argv[2])
    rng = random.Random(20261121)
    name = "discharge-summaries.txt"
    with (folder / name).open("w") as document, values.open("a") as planted:
        for patient in patients(rng):
            document.write(summary(patient, rng))
            for kind, value in patient.items():
                for each in value if isinstance(value, list) else [value]:
                    print(name, kind, each, sep="\t", file=planted)
    (folder / "device-manual.txt").write_text("".join(manual(rng)))


if __name__ == "__main__":
    main()
