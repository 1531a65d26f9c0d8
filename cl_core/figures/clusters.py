"""Training read as clustering: the loss between its two updates, and how far the gradients of batches agree."""

from __future__ import annotations

import plotly.graph_objects as go

from cl_core.figures.style import NEGATIVE, POSITIVE, TRAINED, UNTRAINED, layout

HEIGHT = 330  # pixels
BELOW = {"legend": {"orientation": "h", "y": -0.36, "x": 0}, "margin": {"l": 56, "r": 16, "t": 36, "b": 96}}


def updates_figure(updates: list[tuple[float, float, float]], captions: dict[str, str]) -> go.Figure:
    """The loss of some batches, each before its step, after the update of the weights, and after that of the keys.

    Args:
        updates: the three losses of each batch, in nats.
        captions: `updates`, `start`, `after_weights`, `after_keys`, `batch`, `loss`.
    """
    figure = go.Figure()
    places = list(range(1, len(updates) + 1))
    for name, color, index in (("start", UNTRAINED, 0), ("after_weights", TRAINED, 1), ("after_keys", POSITIVE, 2)):
        figure.add_bar(x=places, y=[each[index] for each in updates], name=captions[name], marker_color=color)
    changes = layout(
        title={"text": captions["updates"], "font": {"size": 14}}, height=HEIGHT, barmode="group", bargap=0.3, **BELOW
    )
    figure.update_layout(changes)
    figure.update_xaxes(title=captions["batch"], dtick=1)
    figure.update_yaxes(title=captions["loss"], rangemode="tozero")
    return figure


def agreement_figure(cosines: dict[str, list[float]], captions: dict[str, str]) -> go.Figure:
    """Histograms of the cosine between one batch's gradient and that of all other batches.

    Args:
        cosines: those of each state, by its name.
        captions: `agreement`, `cosine`, `batches`.
    """
    figure = go.Figure()
    for (name, values), color in zip(cosines.items(), (UNTRAINED, TRAINED), strict=False):
        bins = {"start": -1.0, "end": 1.0, "size": 0.05}
        figure.add_histogram(x=values, name=name, marker_color=color, opacity=0.75, xbins=bins)
    title = {"text": captions["agreement"], "font": {"size": 14}}
    figure.update_layout(layout(title=title, height=HEIGHT, barmode="overlay", **BELOW))
    figure.update_xaxes(title=captions["cosine"], range=[-0.4, 1])
    figure.update_yaxes(title=captions["batches"])
    figure.add_vline(x=0, line={"color": NEGATIVE, "dash": "dot"})
    return figure
