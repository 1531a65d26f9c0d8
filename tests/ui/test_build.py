"""What the page is launched with."""

from __future__ import annotations

from cl_core.ui.build import announcements


def test_screen_readers_announce_sentences_in_each_language() -> None:
    found = announcements().translations_dict
    assert found["en"]["common.complete"] == "Complete"
    assert found["zh-CN"]["common.complete"] == "完成"
    assert found["en"].keys() == found["zh-CN"].keys()
    for sentences in found.values():
        assert all(name in sentences["status.queue_position"] for name in ("{position}", "{size}")), "Gradio fills them in"
