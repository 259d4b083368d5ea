"""What is told beside the story."""

import logging
from pathlib import Path

import pytest
from tools.loop.story import warnings_in

RETRIES = logging.getLogger("mlops_config.retrying")


def test_a_request_that_is_tried_again_is_noted_in_a_file_and_not_on_the_screen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without pytest's own handlers, as where the loop runs.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    with warnings_in(tmp_path / "loop.log"):
        RETRIES.warning("starting a run: no answer; trying again")
    assert "no answer; trying again" in (tmp_path / "loop.log").read_text()
    assert "no answer" not in capfd.readouterr().err
    RETRIES.warning("afterwards")
    assert "afterwards" in capfd.readouterr().err
