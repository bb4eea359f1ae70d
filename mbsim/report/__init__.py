"""One self-contained HTML page that tells what a run found, as the results section of a paper would."""

from mbsim.report.page import Source, html

__all__ = ["Source", "html"]
