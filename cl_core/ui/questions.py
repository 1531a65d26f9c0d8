"""Twenty questions that the app answers, each with a link to where: the link sets the controls."""

from __future__ import annotations

import html
import urllib.parse
from collections.abc import Mapping

import gradio as gr

from cl_core.text import text

# What the controls are set to, as in a link.
QUESTIONS: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("softmax", {"tab": "words", "words": "words-cost"}),
    ("nce", {"tab": "nce"}),
    ("denominator", {"tab": "loss", "loss": "ratio", "stage": "probability", "count": "8"}),
    ("chance", {"tab": "curves"}),
    ("ignore", {"tab": "views", "jitter": "0", "gray": "0"}),
    ("color", {"tab": "ablations", "experiment": "no_jitter"}),
    ("cold", {"tab": "temperature", "temperature": "0.01"}),
    ("false_negative", {"tab": "loss", "count": "16", "cell": "1.1.22"}),
    ("hard_negatives", {"tab": "loss", "model": "emoji-hcl", "stage": "gradient"}),
    ("batch", {"tab": "nce", "count": "32"}),
    ("collapse", {"tab": "ablations", "experiment": "no_predictor"}),
    ("sup_con", {"tab": "loss", "loss": "in", "count": "32", "stage": "gradient"}),
    ("stale", {"tab": "keys"}),
    ("separate", {"tab": "map", "snapshot": "2"}),
    ("far", {"tab": "map", "projector": "umap"}),
    ("head", {"tab": "map", "layer": "embedding"}),
    ("knn", {"tab": "curves"}),
    ("alignment", {"tab": "compare", "others": "emoji-simsiam"}),
    ("all_runs", {"tab": "models"}),
    ("cosines", {"tab": "search", "query": "dog face"}),
)


def questions() -> gr.HTML:
    """All questions in a list that unfolds."""
    rows = "".join(
        f'<li><a href="?{html.escape(urllib.parse.urlencode(link))}">{html.escape(text(f"questions.text.{name}"))}</a></li>'
        for name, link in QUESTIONS
    )
    body = f"<details><summary>{html.escape(text('questions.title', count=len(QUESTIONS)))}</summary><ol>{rows}</ol></details>"
    return gr.HTML(body, elem_id="questions", elem_classes="glossary", padding=False)
