"""One self-contained HTML page that tells what a run found, as the results section of a paper would.

What draws is imported when first used: the findings alone, which the terminal shows too, need no matplotlib.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mbsim.report.page import Source, html

__all__ = ["Source", "html"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from mbsim.report import page

        return getattr(page, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
