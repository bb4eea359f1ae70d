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

        return written(
            order_parameter_panels(dataset, critical, order_parameter=order_parameter), kind, dpi=150
        )


def sound(figure: Path) -> bool:
    """Whether a file is a PNG, whole, and each of its blocks has the checksum that it was written with."""
    with one_line():
        from PIL import Image  # of matplotlib

        try:
            content = figure.read_bytes()
            with Image.open(BytesIO(content)) as image:
                image.verify()
        except Exception:  # Pillow raises what it meets
            return False
        return image.format == "PNG" and content.endswith(END_OF_PNG)  # which Pillow does not read
