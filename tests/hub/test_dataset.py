"""Data sets of the Hub, in parquet files as `datasets` writes them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from cl_core.cli.main import main
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError
from cl_core.hub.dataset import import_hub_dataset
from cl_core.system.paths import cache_dir
from tests.hub.server import Hub

NAME = "someone/pets"


@pytest.fixture(autouse=True)
def empty_cache(own_cache: Path, hub: Hub) -> None:
    pass


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (value, value, value)).save(buffer, "PNG")
    return buffer.getvalue()


def parquet(values: list[int], labels: list[int | None], features: dict[str, Any] | None = None, column: str = "img") -> bytes:
    """A file with images of one gray value each."""
    cells = [{"bytes": png(value) if value >= 0 else b"broken", "path": None} for value in values]
    table = pa.table({"id": list(range(len(values))), column: cells, "label": pa.array(labels, pa.int64())})
    if features is None:
        features = {
            "id": {"dtype": "int64", "_type": "Value"},
            column: {"_type": "Image"},
            "label": {"names": ["cat", "dog/wolf"], "_type": "ClassLabel"},
        }
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})} if features else {})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()


def test_images_classes_and_splits(hub: Hub) -> None:
    files = {
        "README.md": b"pets",
        "data/train-00000-of-00002.parquet": parquet([10, 20, -1], [1, 0, 0]),
        "data/train-00001-of-00002.parquet": parquet([30], [1]),
        "data/test-00000-of-00001.parquet": parquet([40, 50], [0, None]),
    }
    hub.add(NAME, files, "datasets")
    fractions: list[float] = []
    skipped = import_hub_dataset(NAME, "pets", progress=fractions.append)
    assert len(skipped) == 1
    data = load_dataset("pets")
    assert data.title == NAME and data.classes == ["cat", "dog/wolf"]
    assert (data.images[:, 0, 10, 10].tolist(), data.labels.tolist()) == ([20, 10, 30, 50, 40], [0, 1, 1, -1, 0])
    assert (len(data.train), len(data.test)) == (3, 2)
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert not (cache_dir() / "hub-datasets" / "pets").exists()


def test_one_split_and_no_description(hub: Hub) -> None:
    hub.add(NAME, {"train.parquet": parquet([1, 2, 3], [5, 5, 7], features={})}, "datasets")
    import_hub_dataset(NAME, "pets")
    data = load_dataset("pets")
    assert data.classes == ["5", "7"] and len(data.train) == 3 and len(data.test) == 0


def test_the_default_subset_is_chosen(hub: Hub) -> None:
    subsets = {"birds": 1, "data": 2, "zebras": 3}
    files = {f"{part}/train-0.parquet": parquet([value, value], [0, 1]) for part, value in subsets.items()}
    hub.add(NAME, files, "datasets")
    import_hub_dataset(NAME, "pets")
    assert load_dataset("pets").images.unique().tolist() == [2]


def test_what_the_hub_converted_is_read(hub: Hub) -> None:
    commit = hub.add(NAME, {"default/train/0000.parquet": parquet([1, 2], [0, 1])}, "datasets")
    hub.add(NAME, {"images.zip": b"zip"}, "datasets")
    hub.repositories[f"datasets/{NAME}"].tags["refs/convert/parquet"] = commit
    import_hub_dataset(NAME, "pets")
    assert len(load_dataset("pets")) == 2


def test_a_file_that_arrives_changed_is_refused(hub: Hub) -> None:
    files = {"train-0.parquet": parquet(list(range(100)), [0] * 100), "test-0.parquet": parquet([1, 2], [0, 1])}
    hub.add(NAME, files, "datasets")
    hub.wrong = "train-0.parquet"
    with pytest.raises(UserError):
        import_hub_dataset(NAME, "pets")
    assert "pets" not in dataset_names()
    hub.wrong = None
    import_hub_dataset(NAME, "pets")
    assert len(load_dataset("pets")) == 102


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.txt": b"text"}, "has no parquet files"),
        ({"train.parquet": b"PAR1 broken"}, "is damaged"),
        ({"train.parquet": parquet([1, 2], [0, 0])[:200]}, "is damaged"),
    ],
)
def test_what_is_no_set_of_images_gets_a_sentence(hub: Hub, files: dict[str, bytes], message: str) -> None:
    hub.add(NAME, files, "datasets")
    with pytest.raises(UserError, match=message):
        import_hub_dataset(NAME, "pets")
    assert "pets" not in dataset_names()
    assert not list(cache_dir().glob("hub-datasets/*/*")), "what was downloaded is of no use"


def test_a_table_of_numbers_is_no_set_of_images(hub: Hub) -> None:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({"x": [1, 2]}), buffer)
    hub.add(NAME, {"train.parquet": buffer.getvalue()}, "datasets")
    with pytest.raises(UserError, match="has no column of images"):
        import_hub_dataset(NAME, "pets")


@pytest.mark.parametrize(
    ("name", "message"), [("someone/none", "someone/none"), ("no name", "OWNER/NAME"), (f"{NAME}@nowhere", "no such revision")]
)
def test_what_is_not_there(hub: Hub, name: str, message: str) -> None:
    hub.add(NAME, {"train.parquet": parquet([1, 2], [0, 1])}, "datasets")
    with pytest.raises(UserError, match=message):
        import_hub_dataset(name, "pets")


def test_the_command(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.add("someone/birds", {"train.parquet": parquet([1, 2, -1], [0, 1, 1])}, "datasets")
    assert main(["data", "get", "someone/birds"]) == 0
    captured = capsys.readouterr()
    assert (
        "birds: 2 images of 20 px (0 of them in the test split), 2 classes" in captured.out and "skipped: 2.png" in captured.err
    )
    assert main(["data", "get", "someone/none"]) == 2


def odd(column: Any, label: Any, features: Any) -> bytes:
    """A file of two images whose labels or description are odd."""
    images = pa.array([{"bytes": png(value), "path": None} for value in (1, 2)])
    table = pa.Table.from_arrays([images, label], names=["image", column])
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "file",
    [
        odd("image", pa.array([1, 1]), {"image": {"_type": "Image"}}),  # two columns of one name
        odd("label", pa.array([b"\xff\xfe", b"a"]).cast(pa.string(), safe=False), {"image": {"_type": "Image"}}),
        odd("label", pa.array([2**31 - 1, 0], pa.int32()).cast(pa.date32()), {"image": {"_type": "Image"}}),
    ],
    ids=["columns", "text", "date"],
)
def test_an_odd_file_is_damaged_and_not_kept(hub: Hub, file: bytes) -> None:
    hub.add(NAME, {"train.parquet": file}, "datasets")
    with pytest.raises(UserError, match="is damaged"):
        import_hub_dataset(NAME, "pets")
    assert not list(cache_dir().glob("hub-datasets/*/*"))


@pytest.mark.parametrize(
    "features", [["image"], 5, None, {"image": {"_type": "Image"}, "label": {"feature": {"dtype": "int64"}}}]
)
def test_an_odd_description_hides_no_image(hub: Hub, features: Any) -> None:
    hub.add(NAME, {"train.parquet": odd("label", pa.array([1, 1]), features)}, "datasets")
    import_hub_dataset(NAME, "pets")
    assert load_dataset("pets").classes == ["1"]


def test_one_large_value_for_many_rows_is_read_a_few_rows_at_a_time(hub: Hub) -> None:
    """A file of 829 bytes took 302 MB."""
    cells = pa.DictionaryArray.from_arrays(pa.array([0] * 64), pa.array([b"x" * 4_000_000]))
    table = pa.table({"image": pa.StructArray.from_arrays([cells.cast(pa.binary())], ["bytes"]), "label": [1] * 64})
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, compression="zstd")
    del cells, table
    hub.add(NAME, {"train.parquet": buffer.getvalue()}, "datasets")
    before = pa.total_allocated_bytes()
    peaks: list[int] = []
    with pytest.raises(UserError):
        import_hub_dataset(NAME, "pets", progress=lambda _: peaks.append(pa.total_allocated_bytes() - before))
    assert max(peaks) < 100_000_000
