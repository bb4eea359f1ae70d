"""Drawing for the command line: what matplotlib cannot do on this machine is one line, and never a traceback."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import xarray as xr

from mbsim import fss
from mbsim.errors import MbsimError

LONGEST = 200
"""Letters of what matplotlib says."""
DRAWN_FROM = "mbsim config_hash"
"""The text in a PNG that says of which configuration the run was."""
END_OF_PNG = bytes(4) + b"IEND" + 0xAE426082.to_bytes(4)
"""Its last block: length 0, name, checksum."""


class DrawingError(MbsimError):
    """Matplotlib fails here: a font, a setting, a backend that is not there."""


@contextmanager
def one_line() -> Iterator[None]:
    """Whatever matplotlib raises, at import or later, as `DrawingError`, also what it says of files that it cannot
    read. Errors of mbsim stay as they are.
    """
    try:
        yield
    except (MbsimError, MemoryError):
        raise
    except Exception as error:
        text = " ".join(str(error).split())[:LONGEST]
        raise DrawingError(f"matplotlib cannot draw here: {type(error).__name__}: {text}") from error


def picture(
    dataset: xr.Dataset,
    critical: Sequence[fss.Critical],
    order_parameter: str | None = None,
    kind: str = "png",
) -> bytes:
    """The figure of the order parameter against m, as the bytes of a file.

    Raises:
        DrawingError: matplotlib fails.
    """
    with one_line():
        from mbsim.figures import order_parameter_panels
        from mbsim.figures.style import written

        figure = order_parameter_panels(dataset, critical, order_parameter=order_parameter)
        drawn_from = {"metadata": {DRAWN_FROM: dataset.attrs["config_hash"]}} if kind == "png" else {}
        return written(figure, kind, dpi=150, **drawn_from)


def sound(figure: Path, config_hash: str) -> bool:
    """Whether a file is a `picture` of this run: a whole PNG, of which each block has its checksum."""
    with one_line():
        from PIL import Image  # of matplotlib

        try:
            content = figure.read_bytes()
            with Image.open(BytesIO(content)) as image:
                drawn_from = image.info.get(DRAWN_FROM)
                image.verify()
        except Exception:  # Pillow raises what it meets
            return False
        # Pillow does not read the end.
        return image.format == "PNG" and content.endswith(END_OF_PNG) and drawn_from == config_hash
