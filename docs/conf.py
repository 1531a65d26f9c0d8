"""Sphinx builds the manual: `make docs`, or `python -m sphinx -W docs build/docs`.

The pages need no network to be read: formulas become MathML while the manual is built.
"""

from __future__ import annotations

import html
import importlib
import re
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from docutils import nodes
from latex2mathml.converter import convert
from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cl_core import __version__  # noqa: E402

project = "Contrastive Explorer"
author = "The Contrastive Explorer developers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
templates_path: list[str] = []

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False

autodoc_typehints = "none"
autodoc_member_order = "bysource"
add_module_names = False

html_theme = "furo"
html_title = f"Contrastive Explorer {release}"
html_favicon = "../assets/favicon.svg"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False


def mathml(latex: str, display: Literal["inline", "block"]) -> str:
    """LaTeX as MathML.

    Raises:
        ExtensionError: a command is unknown.
    """
    markup = convert(latex, display=display)
    unknown = re.search(r"\\\w+", html.unescape(re.sub("<[^>]*>", "", markup)))
    if unknown:
        raise ExtensionError(f"The formula {latex!r} uses {unknown[0]}, which latex2mathml cannot convert.")
    return markup


def visit_math(self: Any, node: nodes.math) -> None:
    self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_math_block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def table(head: list[str], rows: list[list[nodes.Node]]) -> nodes.table:
    """A table with one header row; `rows` holds the content of each cell."""
    group = nodes.tgroup(cols=len(head))
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", _row([nodes.Text(title) for title in head]))
    group += nodes.tbody("", *(_row(row) for row in rows))
    return nodes.table("", group, classes=["settings"])


def _row(cells: list[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))


def code(text: str) -> nodes.literal:
    return nodes.literal(text, text)


def limits(annotation: Any, metadata: list[Any]) -> str:
    """The values that a setting accepts."""
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    if annotation is bool:
        return "true, false"
    bounds = {name: getattr(each, name) for each in metadata for name in ("ge", "gt", "le", "lt") if hasattr(each, name)}
    least = f"≥ {bounds['ge']:,}" if "ge" in bounds else f"> {bounds['gt']:,}" if "gt" in bounds else ""
    most = f"≤ {bounds['le']:,}" if "le" in bounds else f"< {bounds['lt']:,}" if "lt" in bounds else ""
    return ", ".join(filter(None, [least, most]))


def settings(model: type[BaseModel], prefix: str = "") -> list[list[nodes.Node]]:
    """One table row for each setting: option, default, accepted values, description."""
    rows: list[list[nodes.Node]] = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            rows += settings(field.annotation, f"{prefix}{name}.")
            continue
        default = field.get_default(call_default_factory=True)
        if isinstance(default, bool):
            default = str(default).lower()
        elif isinstance(default, float):
            default = f"{default:.4g}"
        option = f"--{prefix}{name}".replace("_", "-")
        accepted = nodes.Text(limits(field.annotation, field.metadata))
        rows.append([code(option), code(str(default)), accepted, nodes.Text(field.description or "")])
    return rows


class Settings(SphinxDirective):
    """`{settings} package.module.Model`: the table of a pydantic model's settings."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        rows = settings(getattr(importlib.import_module(module), name))
        return [table(["Option", "Default", "Values", "Meaning"], rows)]


def docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """The project writes docstrings as Markdown would have them; make reStructuredText of the two marks that differ."""
    for i, line in enumerate(lines):
        parts = re.split(r"(`[^`]+`)", line)
        lines[i] = "".join(f"`{part}`" if part.startswith("`") else re.sub(r"(?<!\\)([|*])", r"\\\1", part) for part in parts)


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))  # type: ignore[arg-type]
    app.add_directive("settings", Settings)
    app.connect("autodoc-process-docstring", docstring, priority=100)  # before napoleon
