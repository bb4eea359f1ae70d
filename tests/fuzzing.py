"""What a command answers, whatever its words: for tests that make them up."""

import contextlib
import io
import warnings

from mbsim.cli import main


def answer(words) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors), warnings.catch_warnings():
        warnings.simplefilter("always")
        code = main(words)
    return code, out.getvalue(), errors.getvalue()
