"""A file is written whole, or not at all."""

from pathlib import Path

import pytest

from mlops_config.files import write_atomically


def test_a_folder_in_the_files_place_is_named_and_nothing_is_left_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (Path(), tmp_path / "taken"):
        folder.mkdir(exist_ok=True)
        with pytest.raises(IsADirectoryError) as caught:
            write_atomically(folder, b"x")
        assert caught.value.filename == str(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
