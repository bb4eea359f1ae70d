"""The command line; `mbsim.cli.app.main` is its entry."""

from mbsim.cli.app import main

__all__ = ["main"]
