"""One type scale, one spacing scale, one palette: `look.css`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cl_core.figures import style
from cl_core.hub import chart
from cl_core.ui import build
from cl_core.ui.modules import FRONTEND

UI = Path(build.__file__).parent
SCALES = (UI / "look.css").read_text(encoding="utf-8")
STYLES = [UI / "style.css", *sorted((UI / "components").glob("*.css"))]
SPACED = r"\b(?:gap|(?:padding|margin)(?:-[a-z]+)?): [^;}]*"


@pytest.mark.parametrize("file", STYLES, ids=lambda file: file.name)
def test_sizes_and_colors_come_from_the_scales(file: Path) -> None:
    content = file.read_text(encoding="utf-8")
    assert not re.findall(r"font-size: [^;}]*\dpx", content)
    assert not re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(", content)
    assert not [found for found in re.findall(SPACED, content) if re.search(r"(?<![-\d])\d+px", found)]
    used = set(re.findall(r"var\((--cl-[a-z0-9-]+)\)", content))
    defined = set(re.findall(r"(--cl-[a-z0-9-]+):", SCALES + content))
    assert used - defined <= {"--cl-line", "--cl-columns"}  # of `base.css`, and set by a module


def test_charts_and_the_browser_side_have_the_palette_of_the_page() -> None:
    def color(name: str) -> str:
        found = re.search(rf"--cl-{name}: (#[0-9a-f]{{6}})", SCALES)
        assert found
        return found[1]

    script = (FRONTEND / "lib" / "colors.js").read_text(encoding="utf-8")
    constants = dict(re.findall(r'export const (\w+) = "(#[0-9a-f]{6})"', script))
    assert constants["POSITIVE"] == style.POSITIVE.lower() == color("positive")
    assert constants["NEGATIVE"] == style.NEGATIVE.lower() == color("negative")
    assert constants["HIGHLIGHT"] == color("highlight")
    assert constants["LINE"] == style.TRAINED.lower() == chart.LINE
    categories = re.search(r"CATEGORIES = \[(.*?)\];", script, re.DOTALL)
    assert categories
    assert tuple(re.findall(r"#[0-9A-F]{6}", categories[1])) == style.CATEGORIES
