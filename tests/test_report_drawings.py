"""Figures of the report and their captions."""

import itertools
from dataclasses import replace

import made_up
import numpy as np
import pytest
from matplotlib.legend import Legend
from matplotlib.text import Text

from mbsim import fss
from mbsim.fss import because
from mbsim.report import drawings, page, tables, words


@pytest.fixture(scope="module")
def made():
    analysis = made_up.analysis()
    return [
        *drawings.summary_drawings(analysis).values(),
        *drawings.phase_drawings(analysis),
        *drawings.size_drawings(analysis),
        *drawings.connectivity_drawings(analysis),
        *drawings.collapse_drawings(analysis),
        *drawings.order_drawings(analysis),
        *drawings.hysteresis_drawings(analysis),
    ]


def test_no_text_of_a_figure_is_cut_off_or_runs_into_another(made):
    for drawing in made:
        figure = drawing.figure
        figure.draw_without_rendering()
        width, height = figure.bbox.size
        texts = [one for one in figure.findobj(Text) if one.get_text().strip() and one.get_visible()]
        texts = [one for one in texts if any(one.get_window_extent().size)]
        boxes = [(one.get_text(), one.get_window_extent()) for one in shown(figure, texts)]
        assert len(boxes) > 5
        for text, box in boxes:
            inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
            assert inside, (drawing.name, text)
        for (one, a), (other, b) in itertools.combinations(boxes, 2):
            apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
            assert apart, (drawing.name, one, other)


def shown(figure, texts):
    """Without the labels of ticks beyond the limits of their axis, which exist but are not drawn."""
    hidden = set()
    for ax in figure.axes:
        for axis, limits in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if not min(limits) <= tick.get_loc() <= max(limits) or not tick.label1.get_visible():
                    hidden |= {id(tick.label1), id(tick.label2)}
    return [one for one in texts if id(one) not in hidden]


def test_every_figure_has_a_caption_that_names_its_intervals_and_a_name_of_its_own(made):
    assert len({one.name for one in made}) == len(made)
    for one in made:
        assert one.caption[0].isupper() or one.caption[0] in "(m"
        assert one.caption.endswith(".")
        assert "interval" in one.caption or one.name.startswith(("histograms", "hysteresis", "collapse"))
    assert any(one.figure.findobj(Legend) for one in made)


def test_more_panels_than_a_page_holds_are_left_out_and_counted():
    many = made_up.summaries()[["mean", "mean_low", "mean_high"]]
    many = many.sel(d=[5] * 15).assign_coords(d=np.arange(15))
    drawing = drawings.summary_drawings(replace(made_up.nothing(), summaries=many))["mean"]
    assert len(drawing.figure.axes) == drawings.MOST_PANELS
    assert drawing.caption.endswith("3 more panels are left out.")


@pytest.mark.slow
def test_a_collapse_that_determined_nothing_is_told_and_not_drawn():
    lost = replace(made_up.collapse(3), inverse_nu=fss.Interval(), because=(because("nothing_to_collapse"),))
    whole = replace(made_up.analysis(), collapses=[lost, replace(lost, labels={"d": 5})])
    assert drawings.collapse_drawings(whole) == []
    assert tables.refusals(whole.collapses) == ["d = 3; d = 5: no data to collapse."]
    assert words.typeset("d = 3; d = 5: no data to collapse.") in page.html(made_up.attributes(), whole)


def test_a_figure_that_cannot_be_drawn_is_a_note_and_the_numbers_stay(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("Failed to process string with tex:\nlatex could not be found")

    monkeypatch.setattr(drawings.figures, "panels", broken)
    text = page.html(made_up.attributes(), made_up.analysis())
    assert "<img" not in text and "18.06 to 18.46" in text
    assert "No figure of the order parameter: RuntimeError: Failed to process string with tex: latex" in text


def test_captions_call_no_spinodal_m_c_and_no_spinodal_coexistence():
    analysis = made_up.analysis()
    continuous = replace(analysis, verdicts=[made_up.verdict(3)], hysteresis=[])
    for draw in (drawings.phase_drawings, drawings.size_drawings, drawings.connectivity_drawings):
        assert "these are spinodals" in draw(analysis)[0].caption
        assert "spinodals" not in draw(continuous)[0].caption
    assert "not coexistence" in drawings.order_drawings(analysis)[0].caption
    assert "coexistence" not in drawings.order_drawings(continuous)[0].caption
