"""Two files of `mbsim bench --json`, case by case: how the rates changed.

    python benchmarks/compare.py BEFORE.json AFTER.json

The ratio is of proposals, or steps of gradient descent, a second of a core or of an accelerator, after over before.
Files of different devices are compared all the same, and that is said. So are runs of other lengths: a slower program
does fewer sweeps, of which the start is a larger part, and students accept more in them. Exits with 1 if a case
became more than 5 % slower, with 2 if a file is none.
"""

import json
import sys
from pathlib import Path

SLOWER = 0.95
LONGER = 1.25  # of a length: so much shifts a rate by less than 5 %, and is not told
TOLD = "device", "processor_features", "mbsim_version", "jax_version", "numba_version", "git_commit", "engine"
RATE = "per_second_of_a_device"


def read(path):
    """The object in a file, or the end with a line."""
    try:
        found = json.loads(Path(path).read_text())
        cases = {case["case"]: case for case in found["cases"]}
        for case in cases.values():
            float(case[RATE])
        return found, cases
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"{path}: no file of `mbsim bench --json` ({type(error).__name__}: {error})", file=sys.stderr)
        raise SystemExit(2) from None


def length(case):
    """Of a run, in sweeps or steps."""
    return case.get("sweeps") or case.get("steps") or 1


def main(before, after):
    """Print the table; returns the exit code."""
    (old, old_cases), (new, new_cases) = read(before), read(after)
    for key in TOLD:
        if old.get(key) != new.get(key):
            print(f"{key}: {old.get(key)} before, {new.get(key)} after")
    print("thousands a second of a core or an accelerator, of proposals or (SGD) steps of a student")
    print(f"{'case':<40} {'before k/s':>12} {'after k/s':>12} {'after/before':>13}")
    worst = 1.0
    for name, case in new_cases.items():
        rate = case[RATE]
        if name not in old_cases:
            print(f"{name:<40} {'':>12} {rate / 1e3:12,.1f}")
            continue
        ratio = rate / old_cases[name][RATE]
        lengths = length(old_cases[name]), length(case)
        told = "" if max(lengths) <= LONGER * min(lengths) else "  in runs of {:,} and {:,}".format(*lengths)
        worst = min(worst, ratio)
        print(f"{name:<40} {old_cases[name][RATE] / 1e3:12,.1f} {rate / 1e3:12,.1f} {ratio:13.3f}{told}")
    for name in old_cases.keys() - new_cases.keys():
        print(f"{name:<40} only before")
    return int(worst < SLOWER)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("usage: python benchmarks/compare.py BEFORE.json AFTER.json", file=sys.stderr)
        raise SystemExit(2)
    raise SystemExit(main(*sys.argv[1:]))
