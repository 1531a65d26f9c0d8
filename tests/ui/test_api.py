"""What programs call, by the real client over the wire, against Python's own answers."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image

from cl_core.data.registry import load_dataset
from cl_core.explore.maps import map_points
from cl_core.losses.anatomy import nt_xent_anatomy, sup_con_anatomy
from cl_core.runs.store import load_run, run_features
from cl_core.ui import api
from cl_core.ui.build import build_app, launch_options
from tests.ui.raw import ask

MODEL = "emoji-simclr"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    app = build_app()
    _, url, _ = app.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield url
    app.close()


@pytest.fixture(scope="module")
def client(address: str) -> Client:
    return Client(address, verbose=False)


def data_url(image: torch.Tensor) -> str:
    file = io.BytesIO()
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def test_only_these_are_offered_and_each_says_what_it_does(client: Client) -> None:
    offered = client.view_api(return_format="dict")["named_endpoints"]
    assert set(offered) == {f"/{name}" for name in api.PUBLIC}
    for name, endpoint in offered.items():
        assert endpoint["description"], name
        assert all(each["python_type"]["type"] != "Any" for each in endpoint["parameters"]), name
    assert not client.view_api(return_format="dict")["unnamed_endpoints"]


def test_list_models(client: Client) -> None:
    listed = {each["name"]: each for each in client.predict(api_name="/list_models")}
    record = load_run(MODEL).record
    assert listed[MODEL]["knn_accuracy"] == record.metrics["knn"]["accuracy"]
    assert listed[MODEL]["method"] == "simclr"


def test_augment(client: Client) -> None:
    asked = {"model": MODEL, "image": "grinning face", "count": 3, "seed": 5, "api_name": "/augment"}
    views = client.predict(**asked)
    assert len(views) == 3
    assert decoded(views[0]["image"]).size == (64, 64)
    assert views == client.predict(**asked)
    assert views != client.predict(**asked | {"seed": 6})


def test_similarity(client: Client) -> None:
    data, run = load_dataset("emoji"), load_run(MODEL)
    rows = [data.names.index("grinning face"), data.names.index("dog")]
    z = run_features(run, data.images[rows])
    cosines = torch.tensor(
        client.predict(MODEL, ["grinning face", data_url(data.images[rows[1]])], "feature", api_name="/similarity")
    )
    torch.testing.assert_close(cosines, z @ z.T, atol=1e-4, rtol=0)


def test_loss_anatomy(client: Client) -> None:
    z = torch.nn.functional.normalize(torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), dim=1)
    parts = nt_xent_anatomy(z[:3], z[3:], 0.5)
    found = client.predict(z.tolist(), "nt-xent", 0.5, None, api_name="/loss_anatomy")
    assert found["loss"] == pytest.approx(parts.loss, abs=1e-5)
    torch.testing.assert_close(torch.tensor(found["gradient"]), parts.gradient, atol=1e-5, rtol=0)
    labeled = client.predict(z.tolist(), "out", 0.5, [1, 1, 2], api_name="/loss_anatomy")
    assert labeled["loss"] == pytest.approx(sup_con_anatomy(z, torch.tensor([1, 1, 2, 1, 1, 2]), 0.5).loss, abs=1e-5)


@pytest.mark.slow
def test_search(client: Client) -> None:
    found = client.predict(MODEL, "grinning face", 5, "trained", api_name="/search")
    assert len(found) == 5
    assert "grinning face" not in [each["name"] for each in found]
    cosines = [each["cosine"] for each in found]
    assert cosines == sorted(cosines, reverse=True)
    data = load_dataset("emoji")
    row = data.names.index(found[0]["name"])
    assert (found[0]["class"], found[0]["family"]) == (data.label_name(row), data.family_name(row))
    assert data.label_name(row) != data.family_name(row)
    own = data_url(data.images[data.names.index("dog")])
    assert client.predict(MODEL, own, 1, "pixels", api_name="/search")[0]["name"] == "dog"


def test_project(client: Client) -> None:
    found = client.predict(MODEL, "pca", "feature", api_name="/project")
    data = load_dataset("emoji")
    assert len(found) == len(data.on_map)
    row = int(data.on_map[0])
    assert (found[0]["class"], found[0]["family"]) == (data.label_name(row), data.family_name(row))
    expected = map_points(load_run(MODEL), data, "pca")
    assert [found[0]["x"], found[0]["y"]] == pytest.approx(expected[0].tolist(), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("search", ["nobody", "dog", 5, "trained"], "There is no model 'nobody': choose one of"),
        ("search", [MODEL, "dogg", 5, "trained"], "neither an image of"),
        ("search", [MODEL, "data:image/png;base64,!!", 5, "trained"], "not in base64"),
        ("search", [MODEL, "dog", 0, "trained"], "top must be 1 to 100, but it was 0"),
        ("augment", [MODEL, "dog", 1000, 0], "count must be 1 to 64"),
        ("loss_anatomy", [[[1.0, 0.0]] * 5, "nt-xent", 0.1, None], "an even number of rows"),
        ("loss_anatomy", [[[1.0, 0.0]] * 4, "nt-xent", 0, None], "temperature must be 0.001 to 100"),
        ("loss_anatomy", [[[0.0, 0.0]] * 4, "nt-xent", 0.1, None], "no direction"),
        ("project", [MODEL, "mds", "feature"], "projection must be one of"),
    ],
)
def test_mistakes_get_a_sentence(client: Client, name: str, given: list[object], sentence: str) -> None:
    with pytest.raises(AppError, match=sentence):
        client.predict(*given, api_name=f"/{name}")


@pytest.mark.slow
def test_by_plain_http(address: str) -> None:
    body = json.dumps({"data": [MODEL, "dog", 1, "trained"]}).encode()
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{address}gradio_api/call/search", body, headers)
    event = json.loads(urllib.request.urlopen(asked).read())["event_id"]
    answer = urllib.request.urlopen(f"{address}gradio_api/call/search/{event}").read().decode()
    assert json.loads(answer.split("data: ")[1])[0][0]["cosine"] > 0


@pytest.mark.slow
def test_by_an_mcp_client(address: str) -> None:
    async def ask() -> tuple[dict[str, str], str]:
        async with streamable_http_client(f"{address}gradio_api/mcp/") as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            tools = {each.name: each.description or "" for each in (await session.list_tools()).tools}
            answer = await session.call_tool("search", {"model": MODEL, "image": "dog", "top": 1, "space": "trained"})
            return tools, str(answer.content[0])

    with ThreadPoolExecutor(1) as apart:  # this thread may have a browser's event loop from other tests
        tools, answer = apart.submit(lambda: asyncio.run(ask())).result()
    assert set(tools) == set(api.PUBLIC)
    assert all(tools.values())
    assert "cosine" in answer


def test_a_image_file_is_enough(client: Client, tmp_path: Path) -> None:
    Image.new("RGB", (300, 100), "red").save(tmp_path / "red.jpg")
    url = f"data:image/jpeg;base64,{base64.b64encode((tmp_path / 'red.jpg').read_bytes()).decode()}"
    assert len(client.predict(MODEL, [url, url], "embedding", api_name="/similarity")) == 2


GOOD: dict[str, list[object]] = {
    "list_models": [],
    "augment": [MODEL, "dog", 2, 0],
    "similarity": [MODEL, ["dog", "cat"], "feature"],
    "loss_anatomy": [[[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.1, 1.0]], "nt-xent", 0.1, [0, 1]],
    "search": [MODEL, "dog", 3, "pixels"],
    "project": [MODEL, "pca", "feature"],
}
START = "data:image/png;base64,"
WRONG: list[object] = [
    *(None, True, "3", "", "x" * 100_000, -1, 2**64, 10**400, 1.5, float("inf"), float("nan")),
    *([], [None], {}, {"a": 1}, ["a"], [[1]], "ü" * 50, f"{START}ü", f"{START}!!!", START),
]
BODIES = ['{"data": []}', '{"data": [1]}', '{"data": [1,2,3,4,5,6,7]}', '{"data": {}}', '{"data": null}', "{}", "[]", "nope", ""]


def called(address: str, name: str, body: str) -> tuple[int, str]:
    kind = {"Content_Type": "application/json"}
    joined = ask(address, f"/gradio_api/call/{name}", body, **kind)
    if joined.status != 200:
        return joined.status, joined.text
    reply = ask(address, f"/gradio_api/call/{name}/{json.loads(joined.text)['event_id']}")
    return reply.status, reply.text


@pytest.mark.parametrize("name", GOOD)
def test_whatever_a_program_sends_it_gets_a_sentence(address: str, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Of 234 calls with values of wrong types 54 ended in a traceback."""
    bodies = list(BODIES)
    for place in range(len(GOOD[name])):
        for value in WRONG:
            given = [*GOOD[name][:place], value, *GOOD[name][place + 1 :]]
            bodies.append(json.dumps({"data": given}))
    for body in bodies:
        status, text = called(address, name, body)
        assert status in (200, 400, 422), (body[:200], status, text[:200])
        assert len(text) < 3_000 or "event: complete" in text, (body[:200], len(text))
    assert "Traceback" not in capfd.readouterr().err


def test_types_are_checked_at_the_door(address: str) -> None:
    for name, place, value, sentence in (
        ("search", 2, "3", "top: input should be a valid integer, but it was '3'"),
        ("augment", 3, 2**64, "seed must be 0 to 9223372036854775807"),
        ("loss_anatomy", 3, ["a", "b"], "labels.0: input should be a valid integer, but it was 'a'"),
        ("loss_anatomy", 2, None, "temperature: input should be a valid number, but it was None"),
        ("similarity", 1, [f"{START}ü"], "not in base64"),
    ):
        given = [*GOOD[name][:place], value, *GOOD[name][place + 1 :]]
        assert sentence in json.loads(called(address, name, json.dumps({"data": given}))[1].split("data: ")[1])["error"]
    assert "search takes 4 values (model, image, top, space), but got 1" in called(address, "search", '{"data": [1]}')[1]
