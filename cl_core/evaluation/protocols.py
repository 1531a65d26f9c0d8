"""Shared by the measurements: stored results, and the words of a protocol in the language in effect."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter, ValidationError

from cl_core.text import text

Rule = Literal["test-train", "leave-one-out", "held-out"]  # how images are split into queries and gallery
LABEL_KINDS = {"class", "digit", "subcategory"}  # kinds of labels with a translation
T = TypeVar("T")


def read_stored(kind: type[T], values: Any) -> T | None:
    """The dataclass `kind` from a dict of `run.json`; None where a field is missing or has another type.

    A pulled run was written elsewhere, so its metrics can hold anything.
    """
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError:
        return None


def rule_text(rule: Rule) -> str:
    return text(f"evaluation.rule.{rule.replace('-', '_')}")


def label_text(kind: str) -> str:
    return text(f"evaluation.label.{kind}") if kind in LABEL_KINDS else kind
