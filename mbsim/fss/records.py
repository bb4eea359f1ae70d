"""What every record of the analysis can do, and lists of records as tables.

A record is a frozen dataclass with `labels` and `because`. Its `fields` name what a table shows, intervals as
`Interval`; `row` is the same as plain numbers and text, an interval as three columns. Arrays stay attributes.
"""

from collections.abc import Iterable, Mapping
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from mbsim.errors import DatasetError
from mbsim.fss.interval import Interval, Label
from mbsim.fss.reasons import Reason, text_of

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]
    import xarray as xr

T = TypeVar("T", bound="Record")


class Record:
    """A result at one combination of labels, and why it is not more; the base of frozen dataclasses."""

    labels: dict[str, Label]
    because: tuple[Reason, ...]

    keys: ClassVar[tuple[str, ...]] = ()
    """Columns that tell records of the same labels apart."""

    @property
    def reason(self) -> str:
        """Why a number is missing, or what to mind, in words; empty if nothing."""
        return text_of(self.because)

    def fields(self) -> dict[str, Any]:
        """What a table shows beside the labels: numbers, texts, and intervals."""
        raise NotImplementedError

    def row(self) -> dict[str, Any]:
        """Labels and fields as numbers and texts; of an interval the value, and `_low` and `_high` of it."""
        row: dict[str, Any] = dict(self.labels)
        for name, value in self.fields().items():
            if isinstance(value, Interval):
                row |= {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}
            else:
                row[name] = value
        return row | {"reason": self.reason}

    def summary(self) -> str:
        """The result in a few words."""
        raise NotImplementedError

    def __str__(self) -> str:
        return ": ".join(filter(None, [labels_text(self.labels), self.summary()]))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def _repr_html_(self) -> str:
        return html_table([self])

    def to_dataframe(self) -> "pd.DataFrame":
        """The record as a table of one row."""
        return Records([self]).to_dataframe()

    def to_xarray(self) -> "xr.Dataset":
        """The record as a dataset over its labels."""
        return Records([self]).to_xarray()


class Records(list[T], Generic[T]):
    """A list of records that is a table too: `to_dataframe`, `to_xarray`, and a table in a notebook."""

    def to_dataframe(self) -> "pd.DataFrame":
        """A row for each record: its labels, its numbers, the key of its estimator, the reason in words."""
        import pandas as pd

        return pd.DataFrame([one.row() for one in self])

    def to_xarray(self) -> "xr.Dataset":
        """The same over the labels that all records have, and over the estimator where there is one.

        Raises:
            DatasetError: two records have the same labels.
        """
        import xarray as xr

        if not self:
            return xr.Dataset()
        shared = [name for name in self[0].labels if all(name in one.labels for one in self)]
        index = [*self[0].keys, *shared]
        frame = self.to_dataframe()
        if not index:
            frame, index = frame.assign(record=range(len(frame))), ["record"]
        if (twice := frame.duplicated(index)).any():
            row = frame[twice].iloc[0]
            where = ", ".join(f"{name} = {row[name]}" for name in index)
            raise DatasetError(f"{where} occurs twice: each combination of labels must occur once")
        return xr.Dataset.from_dataframe(frame.set_index(index))

    def _repr_html_(self) -> str:
        return html_table(self)


START = "init_overlap"
STARTS: dict[Any, str] = {0.0: "random start", 1.0: "planted start"}
"""What both ends of the label `START` are called."""


def labels_text(labels: Mapping[str, Label]) -> str:
    """The labels as they are read: "d = 5, random start"."""
    return ", ".join(start_text(name, value) or _label_text(name, value) for name, value in labels.items())


def start_text(name: str, value: object) -> str:
    """What a start is called, at random or planted; empty for another label, or between the two."""
    return STARTS.get(value, "") if name == START else ""


def _label_text(name: str, value: Label) -> str:
    return f"{name.replace('_', ' ')} = {_text(value)}"


def html_table(records: Iterable[Record]) -> str:
    """Records as an HTML table: labels, what was found, and why not more."""
    rows = [{**one.labels, **one.fields(), "reason": one.reason} for one in records]
    heads = dict.fromkeys(name for row in rows for name in row if name != "reason")
    names = [*heads, *(["reason"] if any(row["reason"] for row in rows) else [])]

    def line(tag: str, cells: Iterable[Any]) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(_text(cell))}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(line("td", (row.get(name, "") for name in names)) for row in rows)
    return f"<table><thead>{line('th', names)}</thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
