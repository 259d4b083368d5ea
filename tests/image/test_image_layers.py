"""What is read out of a layer, and what layers on top of each other leave."""

import gzip
import io

import pytest
from tests.image.making import a_layer, tar_of

from mlops_config.errors import IntegrityError, UsageError
from mlops_config.image import layers
from mlops_config.image.layers import Layer, Sort, files_of, read_layer

CONFIG = "/app/configs/prod_training_config.yaml"


def paths(layer: Layer) -> list[str]:
    return [entry.path for entry in layer.entries]


def test_files_at_the_configs_are_read_with_their_bytes() -> None:
    [entry] = a_layer({"app/configs/prod_training_config.yaml": b"kind: training\n"}).entries
    assert (entry.path, entry.sort, entry.data) == (CONFIG, Sort.FILE, b"kind: training\n")


@pytest.mark.parametrize("name", ["./app/configs/x.yaml", "/app/configs/x.yaml", "app//configs/./x.yaml"])
def test_a_path_is_known_however_the_archive_spells_it(name: str) -> None:
    assert paths(a_layer({name: b"x"})) == ["/app/configs/x.yaml"]


def test_configuration_files_elsewhere_are_noted_without_their_bytes_and_other_files_are_not() -> None:
    layer = a_layer(
        {
            "srv/code/main.py": b"pass",
            "srv/prod_retrain_config.yaml": b"x",
            "opt/dev/training_config.yml": b"y",
        }
    )
    assert [(entry.path, entry.data) for entry in layer.entries] == [
        ("/srv/prod_retrain_config.yaml", None),
        ("/opt/dev/training_config.yml", None),
    ]


def test_a_whiteout_names_what_it_hides() -> None:
    layer = a_layer({"app/configs/.wh.prod_training_config.yaml": b"", "app/.wh..wh..opq": b""})
    assert [(entry.path, entry.sort) for entry in layer.entries] == [
        (CONFIG, Sort.WHITEOUT),
        ("/app", Sort.OPAQUE),
    ]


def test_a_gzipped_layer_reads_like_a_plain_one() -> None:
    plain = tar_of({"app/configs/a.yaml": b"a"})
    assert read_layer(io.BytesIO(gzip.compress(plain)), "1") == read_layer(io.BytesIO(plain), "1")


def test_a_layer_compressed_with_zstd_is_read_or_refused_with_what_to_do() -> None:
    compressed = bytes.fromhex("28b52ffd") + b"\0" * 20
    with pytest.raises((UsageError, IntegrityError)) as caught:
        read_layer(io.BytesIO(compressed), "2 of 3")
    assert "layer 2 of 3" in caught.value.message
    if layers._zstd() is None:
        assert caught.value.hint
        assert "backports.zstd" in caught.value.hint


@pytest.mark.parametrize(
    "data",
    [b"", b"no tar at all" * 100, tar_of({"a": b"x" * 5000})[:3000], gzip.compress(tar_of({"a": b"x"}))[:60]],
    ids=["empty", "text", "cut off", "gzip cut off"],
)
def test_a_broken_layer_is_named(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="layer 1 of 1 is not a readable tar"):
        read_layer(io.BytesIO(data), "1 of 1")


def test_an_empty_layer_is_no_error() -> None:
    assert read_layer(io.BytesIO(tar_of({})), "1") == Layer("1")


def test_a_huge_file_at_the_configs_is_not_kept_in_memory() -> None:
    [entry] = a_layer({"app/configs/big.yaml": b"x" * (layers.MAX_FILE_BYTES + 1)}).entries
    assert entry.data is None


def test_more_entries_than_can_be_meant_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "MAX_ENTRIES", 3)
    with pytest.raises(IntegrityError, match="more than 3 entries"):
        a_layer({f"app/configs/{number}.yaml": b"" for number in range(4)})


def test_a_higher_layer_replaces_a_file_and_keeps_the_others() -> None:
    lower = a_layer({"app/configs/a": b"old", "app/configs/b": b"b"})
    tree = files_of([lower, a_layer({"app/configs/a": b"new"})])
    assert {path: entry.data for path, entry in tree.items()} == {
        "/app/configs/a": b"new",
        "/app/configs/b": b"b",
    }


@pytest.mark.parametrize(
    "above",
    [
        {"app/configs/.wh.a": b""},
        {"app/configs/.wh..wh..opq": b""},
        {"app/.wh.configs": b""},
        {".wh.app": b""},
        {".wh..wh..opq": b""},
        {"app/configs": b"a file now"},
    ],
    ids=["file", "opaque folder", "folder", "folder above", "opaque root", "folder became a file"],
)
def test_what_a_higher_layer_takes_away_is_gone(above: dict[str, bytes | str | None]) -> None:
    tree = files_of([a_layer({"app/configs/a": b"a"}), a_layer(above)])
    assert "/app/configs/a" not in tree


def test_a_whiteout_hides_lower_layers_only_wherever_it_stands_in_its_own() -> None:
    own = {"app/configs/a": b"new", "app/configs/.wh..wh..opq": b""}
    tree = files_of([a_layer({"app/configs/a": b"old", "app/configs/b": b"b"}), a_layer(own)])
    assert {path: entry.data for path, entry in tree.items()} == {"/app/configs/a": b"new"}
