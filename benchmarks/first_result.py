"""How long one waits for a first result: commands in new processes, with nothing compiled, and again.

    python benchmarks/first_result.py [--turns 1]

Wall and CPU seconds of whole processes, and their memory. The quickstart, the same from a training set, and doctor;
each first with an empty folder for what is compiled.
"""

import argparse
import os
import tempfile
from pathlib import Path

from many_teachers import HEAD, timed

QUICKSTART = Path(__file__).parents[1] / "configs" / "quickstart.toml"
COMMANDS = {
    "quickstart": ["run", str(QUICKSTART)],
    "quickstart, 1,000 examples": ["run", str(QUICKSTART), "--set", "data.examples=1000"],
    "doctor": ["doctor"],
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=1, help="times that all is done")
    options = parser.parse_args()
    print(f"{len(os.sched_getaffinity(0))} cores\n\n{HEAD}")
    # All folders stay until the end: ext4 makes new files ten times slower for a while after some were removed.
    with tempfile.TemporaryDirectory() as temporary:
        for turn in range(options.turns):
            for name, words in COMMANDS.items():
                place = f"{temporary}/{turn} {name}"
                os.environ["NUMBA_CACHE_DIR"] = f"{place}/compiled"
                for state in ("nothing compiled", "again"):
                    out = ["--out", f"{place}/{state}"] if words[0] == "run" else []
                    timed(f"{name}, {state}", "-m", "mbsim.cli", *words, *out)


if __name__ == "__main__":
    main()
