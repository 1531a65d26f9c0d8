"""Figures of word vectors: neighbors, curves, noise distribution, one step, cost of a softmax."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots
from torch import Tensor

from cl_core.figures.style import ACCENT, NEGATIVE, PERCENT, PERCENT_HOVER, POSITIVE, TRAINED, UNTRAINED, layout

BARE: dict[str, Any] = {"showgrid": False, "zeroline": False, "showticklabels": False, "ticks": "", "showline": False}


def mark_words(figure: go.Figure, points: Tensor, names: list[str], ids: list[int], queries: int) -> go.Figure:
    """Draw circles around points (M, 2) of a map; the first `queries` of them in another color and with their names."""
    if names:
        colors = [NEGATIVE] * queries + [TRAINED] * (len(names) - queries)
        figure.add_scatter(
            x=points[:, 0].tolist(),
            y=points[:, 1].tolist(),
            text=names[:queries] + [""] * (len(names) - queries),
            customdata=ids,
            mode="markers+text",
            textposition="top center",
            textfont={"size": 16},
            hoverinfo="none",
            showlegend=False,
            marker={"size": 13, "symbol": "circle-open", "color": colors, "line": {"width": 3}},
        )
    return figure


def around_figure(points: Tensor, names: list[str], title: str) -> go.Figure:
    """A word and its neighbors as points (M, 2), the word first."""
    # Names alternate above and below, so that those of near points do not overlap.
    sides = ["top center" if rank % 2 else "bottom center" for rank in points[:, 1].argsort().argsort().tolist()]
    figure = go.Figure()
    figure.add_scatter(
        x=points[:, 0].tolist(),
        y=points[:, 1].tolist(),
        text=names,
        mode="markers+text",
        textposition=sides,
        hoverinfo="text",
        marker={"size": 9, "color": [NEGATIVE, *[TRAINED] * (len(names) - 1)]},
    )
    reach = 1.3 * float(points.abs().max()) or 1.0
    axis = BARE | {"range": [-reach, reach]}
    figure.update_layout(
        layout(height=420, title=_title(title), xaxis=axis, yaxis=axis, margin={"l": 8, "r": 8, "t": 44, "b": 8})
    )
    return figure


def cosine_figure(names: list[str], cosines: list[float], title: str) -> go.Figure:
    """Cosines of a word with others, the largest on top."""
    figure = go.Figure()
    figure.add_bar(x=cosines[::-1], y=names[::-1], orientation="h", marker={"color": TRAINED}, hoverinfo="x+y")
    figure.update_layout(
        layout(height=420, title=_title(title), bargap=0.25, xaxis={"range": [0, 1]}, yaxis={"automargin": True})
    )
    return figure


def _title(text: str) -> dict[str, Any]:
    return {"text": text, "font": {"size": 14}, "x": 0.5, "xanchor": "center", "y": 0.97}


def word_curves(metrics: list[dict[str, Any]], always_noise: float, captions: dict[str, str]) -> go.Figure:
    """Loss with its two terms, accuracy with that of always predicting noise, and the learning rate, over epochs.

    Args:
        always_noise: k / (k + 1).
        captions: `loss`, `positive`, `negative`, `accuracy`, `recall`, `always_noise`, `lr`, `epoch`.
    """
    titles = [captions["loss"], captions["accuracy"], captions["lr"]]
    figure = make_subplots(3, 1, shared_xaxes=True, vertical_spacing=0.09, row_heights=[0.45, 0.38, 0.17], subplot_titles=titles)
    epochs = [point["epoch"] for point in metrics]
    lines = (
        ("loss", 1, TRAINED, "solid"),
        ("positive", 1, POSITIVE, "solid"),
        ("negative", 1, NEGATIVE, "solid"),
        ("accuracy", 2, TRAINED, "solid"),
        ("recall", 2, POSITIVE, "solid"),
        ("lr", 3, UNTRAINED, "solid"),
    )
    for name, row, color, dash in lines:
        line = {"color": color, "width": 2, "dash": dash}
        values = [point[name] for point in metrics]
        common = {"mode": "lines", "line": line, "showlegend": name != "lr"}
        figure.add_scatter(x=epochs, y=values, name=captions[name], row=row, col=1, **common)
    line = {"color": ACCENT, "dash": "dash", "width": 1.5}
    figure.add_hline(
        y=always_noise, line=line, annotation_text=captions["always_noise"], annotation_position="bottom right", row=2, col=1
    )
    figure.update_yaxes(rangemode="tozero", row=1, col=1)
    figure.update_yaxes(tickformat=PERCENT, hoverformat=PERCENT_HOVER, range=[0, 1], row=2, col=1)
    figure.update_yaxes(rangemode="tozero", exponentformat="power", nticks=3, row=3, col=1)
    figure.update_xaxes(title_text=captions["epoch"], row=3, col=1)
    figure.update_annotations(font_size=13)
    figure.update_layout(layout(height=720, hovermode="x unified", legend={"orientation": "h", "y": -0.1, "x": 0}))
    return figure


def noise_figure(frequencies: Tensor, noise: Tensor, names: list[str], ranks: list[int], captions: dict[str, str]) -> go.Figure:
    """Word frequencies and the noise distribution by rank, both axes logarithmic.

    Args:
        frequencies, noise: (M,) probabilities at `ranks` (>= 1); names: the words there.
        captions: `frequency`, `noise`, `rank`, `probability`.
    """
    data = [
        {
            "type": "scatter",
            "x": ranks,
            "y": values.tolist(),
            "text": names,
            "name": captions[key],
            "mode": "lines",
            "line": {"color": color, "width": 2.5},
            "hovertemplate": "%{text}: %{y:.2e}",
        }
        for key, values, color in (("frequency", frequencies, UNTRAINED), ("noise", noise, NEGATIVE))
    ]
    axes = {
        "xaxis": {"type": "log", "title": {"text": captions["rank"]}, "dtick": 1},
        "yaxis": {"type": "log", "title": {"text": captions["probability"]}, "exponentformat": "power", "dtick": 1}
        | {"range": [float(frequencies.min().log10()) - 0.3, 0]},
    }
    return go.Figure({"data": data, "layout": layout(height=420, hovermode="x unified", **axes)})


def step_figure(names: list[str], columns: dict[str, Tensor], captions: dict[str, str]) -> go.Figure:
    """The numbers of one step as bars, side by side.

    Args:
        names: the context word, then the noise words. columns: caption key -> (K + 1,).
        captions: by the keys of `columns`.
    """
    figure = make_subplots(
        1, len(columns), shared_yaxes=True, horizontal_spacing=0.03, subplot_titles=[captions[k] for k in columns]
    )
    labels = [f"{i + 1}. {name}" for i, name in enumerate(names)]
    colors = [POSITIVE, *[NEGATIVE] * (len(names) - 1)]
    for number, (key, values) in enumerate(columns.items(), 1):
        percent = key in ("probability", "contribution")
        figure.add_bar(
            x=values.tolist(),
            y=labels,
            orientation="h",
            marker={"color": colors},
            texttemplate="%{x:.0%}" if percent else "%{x:+.2f}",
            textposition="outside",
            cliponaxis=False,
            hoverinfo="none",
            row=1,
            col=number,
        )
        low, high = (0.0, 1.0) if percent else (min(0.0, float(values.min())), max(0.0, float(values.max())))
        room = 0.4 * (high - low) or 1.0
        left = 2 * room if float(values.min()) < 0 else 0.0  # room for numbers beside the names
        figure.update_xaxes(range=[low - left, high + room], row=1, col=number, nticks=4)
        if percent:
            figure.update_xaxes(tickformat=PERCENT, hoverformat=PERCENT_HOVER, tickvals=[0, 0.5, 1], row=1, col=number)
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_annotations(font_size=13)
    figure.update_layout(layout(height=120 + 42 * len(names), showlegend=False, bargap=0.3))
    return figure


def cost_figure(sizes: list[int], softmax: list[float], nce: list[float], captions: dict[str, str]) -> go.Figure:
    """Microseconds for each pair over the size of the vocabulary, both axes logarithmic.

    Args:
        captions: `softmax`, `nce`, `vocabulary`, `time`.
    """
    data = [
        {"type": "scatter", "x": sizes, "y": values, "name": captions[key], "mode": "lines+markers"}
        | {"line": {"color": color, "width": 2.5}, "marker": {"size": 8}, "hovertemplate": "%{y:.3g} µs"}
        for key, values, color in (("softmax", softmax, NEGATIVE), ("nce", nce, TRAINED))
    ]
    axes = {
        "xaxis": {
            "type": "log",
            "title": {"text": captions["vocabulary"]},
            "tickvals": sizes,
            "ticktext": [f"{s:,}" for s in sizes],
        },
        "yaxis": {"type": "log", "title": {"text": captions["time"]}, "dtick": 1},
    }
    return go.Figure({"data": data, "layout": layout(height=420, hovermode="x unified", **axes)})
