"""Curves of training runs: loss and chance level, kNN accuracy, geometry of the embeddings."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cl_core.figures.style import ACCENT, CATEGORIES, PERCENT, PERCENT_HOVER, UNTRAINED, layout

Metrics = list[dict[str, Any]]
BELOW, AXIS, LINE = 112, 46, 29  # pixels below the plots: at least; for the axis; for a line of the legend
HEIGHT, COMPACT_HEIGHT = 530, 470  # pixels: whole on a laptop's first screen, the second below a paragraph


def _of_kind(metrics: Metrics, kind: str) -> Metrics:
    return [point for point in metrics if point["kind"] == kind]


def loss_figure(
    runs: dict[str, Metrics], floors: dict[str, float], captions: dict[str, str], *, compact: bool = False
) -> go.Figure:
    """Loss with its chance level, and the learning rate, over epochs.

    Args:
        runs: the points of `metrics.jsonl` by the name of the run.
        floors: the lower bound of a run's loss, drawn as a line (-1 for SimSiam).
        captions: `loss`, `chance`, `floor`, `lr`, `epoch`.
        compact: without the learning rate.
    """
    titles, heights = ([captions["loss"]], [1.0]) if compact else ([captions["loss"], captions["lr"]], [0.72, 0.28])
    figure = _panels(titles, heights, captions["epoch"], COMPACT_HEIGHT if compact else HEIGHT)
    for (name, metrics), color in zip(runs.items(), cycle(CATEGORIES), strict=False):
        losses = _of_kind(metrics, "loss")
        epochs = [p["epoch"] for p in losses]
        line = {"color": color, "width": 2}
        figure.add_scatter(x=epochs, y=[p["loss"] for p in losses], name=name, mode="lines", line=line, row=1, col=1)
        levels = {"chance": ([p["chance"] for p in losses], "dot")}
        if name in floors:
            levels["floor"] = ([floors[name]] * len(losses), "dash")
        for level, (values, dash) in levels.items():
            thin = {"color": color, "width": 1.5, "dash": dash}
            figure.add_scatter(x=epochs, y=values, name=captions[level], mode="lines", line=thin, row=1, col=1)
        if not compact:
            rates = [p["lr"] for p in losses]
            figure.add_scatter(x=epochs, y=rates, name=name, showlegend=False, mode="lines", line=line, row=2, col=1)
    if not compact:
        figure.update_yaxes(exponentformat="power", nticks=4, row=2, col=1)
    return _list_once(figure)


def quality_figure(
    runs: dict[str, Metrics],
    baselines: dict[str, float],
    protocols: dict[str, str],
    captions: dict[str, str],
    *,
    compact: bool = False,
) -> go.Figure:
    """kNN accuracy, spread of the outputs, and alignment with uniformity, over epochs.

    Accuracies measured by different protocols cannot be compared, so each protocol has a plot of its own.

    Args:
        baselines: kNN accuracies in [0, 1] drawn as dashed lines, by name; of one run.
        protocols: how the accuracies of each run were measured, by the name of the run.
        captions: `knn`, `std`, `even`, `alignment`, `uniformity`, `geometry`, `epoch`.
        compact: without alignment and uniformity.
    """
    with_accuracy = [name for name, points in runs.items() if any("knn" in p for p in _of_kind(points, "snapshot"))]
    distinct = list(dict.fromkeys(protocols.get(name, "") for name in with_accuracy))
    small = '<br><span style="font-size: 11px">{}</span>'  # narrow plots cut long lines
    knn = [captions["knn"] + (small.format(protocol) if protocol else "") for protocol in distinct]
    spread, shape = len(knn) + 1, len(knn) + 2  # rows
    titles, heights = [*knn, captions["std"]], [0.36] * len(knn) + [0.28]
    if not compact:
        titles, heights = [*titles, captions["geometry"]], [*heights, 0.36]
    figure = _panels(titles, heights, captions["epoch"], COMPACT_HEIGHT if compact else HEIGHT)
    for (name, metrics), color in zip(runs.items(), cycle(CATEGORIES), strict=False):
        snapshots = _of_kind(metrics, "snapshot")
        line = {"color": color, "width": 2}
        common = {"name": name, "showlegend": False, "mode": "lines+markers", "line": line, "col": 1}
        evaluated = [p for p in snapshots if "knn" in p]
        if evaluated:
            row, accuracies = 1 + distinct.index(protocols.get(name, "")), [p["knn"]["accuracy"] for p in evaluated]
            figure.add_scatter(x=[p["epoch"] for p in evaluated], y=accuracies, row=row, **(common | {"showlegend": True}))
        measured = [p for p in snapshots if "geometry" in p]
        epochs = [p["epoch"] for p in measured]
        if not measured:
            continue
        common["showlegend"] = not evaluated
        shapes = {key: [p["geometry"][key] for p in measured] for key in ("std", "dim", "alignment", "uniformity")}
        figure.add_scatter(x=epochs, y=shapes["std"], row=spread, **common)
        even = [dim**-0.5 for dim in shapes["dim"]]
        thin = {"color": color, "width": 1.5, "dash": "dot"}
        figure.add_scatter(x=epochs, y=even, name=captions["even"], mode="lines", line=thin, row=spread, col=1)
        for key, dash in () if compact else (("alignment", "solid"), ("uniformity", "dash")):
            named = {"name": f"{name}: {captions[key]}", "showlegend": False, "line": line | {"dash": dash}, "connectgaps": True}
            figure.add_scatter(x=epochs, y=shapes[key], row=shape, **(common | named))
    for (name, accuracy), color in zip(baselines.items(), (UNTRAINED, ACCENT), strict=False):
        line = {"color": color, "dash": "dash", "width": 1.5}
        if knn:
            figure.add_hline(y=accuracy, line=line, annotation_text=name, row=1, col=1)
    for row in range(1, spread):
        figure.update_yaxes(tickformat=PERCENT, hoverformat=PERCENT_HOVER, row=row, col=1)
    figure.update_yaxes(rangemode="tozero", row=spread, col=1)
    return _list_once(figure)


def _panels(titles: list[str], heights: list[float], axis: str, height: int) -> go.Figure:
    figure = make_subplots(
        rows=len(titles),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=min(0.1, 0.3 / len(titles)),
        row_heights=heights,
        subplot_titles=titles,
    )
    figure.update_xaxes(title={"text": axis, "standoff": 6}, row=len(titles), col=1)
    figure.update_annotations(font_size=13)
    margin = {"l": 56, "r": 16, "t": 48, "b": BELOW}  # the title above the first plot may have two lines
    below = {"orientation": "h", "y": 0, "yref": "container", "yanchor": "bottom", "x": 0}
    figure.update_layout(layout(height=height, margin=margin, hovermode="x unified", legend=below))
    return figure


def _list_once(figure: go.Figure) -> go.Figure:
    """Runs share the name of a line such as the chance level: the legend lists it once.

    The margin below has room for one line an entry, as narrow plots need.
    """
    listed = set[str]()
    for trace in figure.data:
        trace.showlegend = trace.showlegend is not False and trace.name not in listed
        trace.legendgroup = trace.name  # its entry switches the lines of all runs
        if trace.showlegend:
            listed.add(trace.name)
    figure.update_layout(margin_b=max(BELOW, AXIS + LINE * len(listed)))
    return figure


def path_figure(runs: dict[str, Metrics], captions: dict[str, str]) -> go.Figure:
    """Alignment against uniformity, a path over the snapshots of each run (Wang and Isola 2020, figure 3).

    Args:
        captions: `alignment`, `uniformity`, `epoch`, `path`.
    """
    figure = go.Figure()
    for (name, metrics), color in zip(runs.items(), cycle(CATEGORIES), strict=False):
        measured = [p for p in _of_kind(metrics, "snapshot") if p.get("geometry", {}).get("alignment") is not None]
        sizes = [7.0] * (len(measured) - 1) + [14.0] * bool(measured)
        figure.add_scatter(
            x=[p["geometry"]["uniformity"] for p in measured],
            y=[p["geometry"]["alignment"] for p in measured],
            text=[f"{name}, {captions['epoch']} {p['epoch']:.3g}" for p in measured],
            name=name,
            mode="lines+markers",
            line={"color": color, "width": 2},
            marker={"size": sizes, "color": color},
            hovertemplate="%{text}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
        )
    figure.update_xaxes(title_text=captions["uniformity"])
    figure.update_yaxes(title_text=captions["alignment"], rangemode="tozero")
    figure.update_layout(layout(height=COMPACT_HEIGHT, title={"text": captions["path"], "font": {"size": 13}}))
    return figure
