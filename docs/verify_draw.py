"""Count a draw of revisits over without trusting the office that made it: Python 3.9, nothing else.

    python3 verify_draw.py item.json

item.json is the campaign as GET /api/v1/items/NUMBER answers it. Exit 0: the sample comes out.
"""
# ruff: noqa: T201 - a script that speaks to a person

import hashlib
import json
import sys
from pathlib import Path


def sha(text: str) -> str:
    """SHA-256 of a text, as hex."""
    return hashlib.sha256(text.encode()).hexdigest()


if not sys.argv[1:]:
    sys.exit(__doc__)
told = json.loads(Path(sys.argv[1]).read_text("utf-8"))
told = told.get("data", told)
if told["seed"] != sha(f"{told['unit']}|{told['month']}|{told['salt']}"):
    sys.exit("种子不符。The seed is not that of unit, month and salt.")
if told["seed_commitment"] != sha(told["seed"]):
    sys.exit("种子与事先公布的摘要不符。The seed is not the one committed to.")
if told.get("population_digest") != sha(told.get("population", "")):
    sys.exit("总体清单与摘要不符。The population is not the one of the digest.")
cases = [line.split(" ") for line in told.get("population", "").splitlines()]
cases.sort(key=lambda case: sha(f"{told['seed']}|{case[0]}"))
must, sample = [number for number, _, how in cases if how == "must"], []
for line in told.get("strata", []):
    stratum, _, percent, _ = line.split(" ")
    pool = [number for number, where, how in cases if where == stratum and how == "pool"]
    sample += pool[: -(-len(pool) * int(percent.rstrip("%")) // 100)]
most = told["most"]
sample = [*must[: max(most - len(sample), most // 2)], *sample][:most]
if sample != [row["case"] for row in told.get("sample_list", [])]:
    sys.exit("样本不符。The sample is not the one that comes out.")
print("\n".join(sample))
print(f"样本 {len(sample)} 件,与记录一致。{len(sample)} cases, as recorded.")
