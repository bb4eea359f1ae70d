"""`python -m mbsim.cli` is `mbsim`."""

import sys

from mbsim.cli import main

if __name__ == "__main__":
    sys.exit(main())
