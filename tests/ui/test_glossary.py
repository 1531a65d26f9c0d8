"""The glossary, and the terms that explain themselves where they occur."""

from __future__ import annotations

import html
import re

import pytest

from cl_core.text import LANGUAGES, text, using_language
from cl_core.ui.explanation import emphasized
from cl_core.ui.glossary import terms, with_hints


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_term_has_a_short_meaning(language: str) -> None:
    with using_language(language):
        found = terms()
        assert len(found) > 30
        assert all(meaning.endswith((".", "。")) and len(meaning) < 190 for meaning in found.values())


def test_terms_in_explanations_carry_their_meaning() -> None:
    markup = with_hints(emphasized(text("loss.about").split("**", 2)[2]))
    (hint,) = re.findall(r'<em class="term" tabindex="0" data-hint="([^"]+)" aria-description="[^"]+">positives</em>', markup)
    assert html.unescape(hint) == terms()["positive"]
    assert with_hints("<em>no term</em>") == "<em>no term</em>"
    with using_language("zh"):
        assert 'class="term"' in with_hints(emphasized(text("views.about").split("**", 2)[2]))


def test_a_meaning_cannot_become_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cl_core.ui.glossary.terms", lambda: {"x": '"><script>'})
    assert "<script>" not in with_hints("<em>x</em>")
