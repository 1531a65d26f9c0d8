"""Names of images and classes in the language in effect. Links and the model keep the data set's own names."""

from __future__ import annotations

import json
import re
from functools import cache

from cl_core.data.dataset import Dataset
from cl_core.system.paths import ASSETS
from cl_core.text import language, texts

KNOWN = {"emoji", "fashion", "fashion-mnist", "digits", "mnist", "cifar10"}  # data sets whose labels the locale has
TRANSLATED = "emoji"  # the data set whose images have names in other languages


def image_name(data: Dataset, row: int) -> str:
    """The name of an image."""
    if data.name == TRANSLATED:
        listed = _emoji_names(language())
        return data.names[row] if listed is None or len(listed) != len(data) else listed[row]
    return _label_name(data, data.names[row])


def class_name(data: Dataset, label: int) -> str:
    """The name of a class in the page's language; names of imported classes are not translated."""
    return _label_name(data, data.classes[label])


def entry_name(name: str) -> str:
    """The name of an entry of a comparison of methods: a method, a baseline or a public encoder."""
    return texts("comparison.names").get(name.replace("-", "_"), name)


def family_names(data: Dataset) -> list[str]:
    """The names of a data set's coarse labels."""
    return [_label_name(data, name) for name in data.family_names]


def _label_name(data: Dataset, label: str) -> str:
    return _labels(language()).get(slug(label), label) if data.name in KNOWN else label


def image_choices(data: Dataset, choices: dict[str, int]) -> list[tuple[str, str]]:
    """A menu of images: what is shown, and the value, the data set's own name."""
    return [(_numbered(image_name(data, row), value, data.names[row]), value) for value, row in choices.items()]


def _numbered(shown: str, value: str, own: str) -> str:
    """Images of one name are numbered in their menu."""
    return shown + value.removeprefix(own) if value.startswith(own) else shown


def slug(name: str) -> str:
    """The key of a label's name."""
    return re.sub(r"\W+", "_", name.lower()).strip("_")


@cache
def _emoji_names(code: str) -> list[str] | None:
    file = ASSETS / "emoji" / f"names-{code}.json"
    listed: list[str] | None = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
    return listed


@cache
def _labels(_: str) -> dict[str, str]:
    return texts("labels")
