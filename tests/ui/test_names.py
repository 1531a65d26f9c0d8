"""Names of images and classes in both languages."""

from __future__ import annotations

import dataclasses
import json
import re
import unicodedata
from pathlib import Path

import pytest

from cl_core import text as text_package
from cl_core.data.registry import load_dataset
from cl_core.text import texts, using_language
from cl_core.ui.names import class_name, family_names, image_choices, image_name, slug

TEXTS = Path(text_package.__file__).parent
HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("name", ["emoji", "fashion", "digits"])
def test_every_image_class_and_family_has_a_chinese_name(name: str) -> None:
    data = load_dataset(name)
    with using_language("zh"):
        images = {image_name(data, row) for row in data.on_map.tolist()}
        if name != "digits":
            classes = [class_name(data, label) for label in range(len(data.classes))]
            assert [each for each in [*classes, *family_names(data)] if not HAN.search(each)] == []
    # Signs such as "OK" are called by their letters in Chinese, too.
    assert len([each for each in images if not HAN.search(each)]) < 0.03 * len(images)


def test_names_of_the_data_set_stay_the_values_of_menus() -> None:
    data = load_dataset("emoji")
    with using_language("zh"):
        listed = image_choices(data, {"grinning face": 0, "dog face": data.names.index("dog face")})
    assert [value for _, value in listed] == ["grinning face", "dog face"]
    assert [shown for shown, _ in listed] == ["嘿嘿", "狗脸"]
    assert image_choices(data, {"grinning face": 0})[0] == ("grinning face", "grinning face")


def test_imported_labels_keep_their_names() -> None:
    data = dataclasses.replace(load_dataset("fashion"), name="mine")
    with using_language("zh"):
        assert class_name(data, 0) == "Ankle boot"
    assert image_name(load_dataset("emoji"), load_dataset("emoji").names.index("lock")) == "lock", "and not that of its class"


def test_labels_have_keys_of_their_own() -> None:
    data = [load_dataset(name) for name in ("emoji", "fashion")]
    names = {each for one in data for each in [*one.classes, *one.family_names]}
    assert {slug(name) for name in names} <= set(texts("labels"))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_bold_text_is_bold(language: str) -> None:
    """Markdown ends a bold part only where punctuation at its end is followed by a space or punctuation (CommonMark 6.2)."""
    strings: dict[str, str] = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    plain = [
        key
        for key, value in strings.items()
        for inner, after in zip(value.split("**")[1::2], value.split("**")[2::2], strict=False)
        if unicodedata.category(inner[-1])[0] == "P" and after and unicodedata.category(after[0])[0] not in "PZC"
    ]
    assert not plain
