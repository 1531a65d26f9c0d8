"""The models of this page: a table, and forms that pull from the Hub, import encoders and publish."""

from __future__ import annotations

import contextlib
import html
import re
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError
from cl_core.evaluation.knn import KnnResult
from cl_core.explore.accuracy_difference import CERTAIN
from cl_core.explore.files import KINDS, save
from cl_core.explore.model import Model
from cl_core.explore.model_store import SHORT_COMMIT, ModelStore
from cl_core.hub.fetch import downloaded_bytes
from cl_core.hub.recommended import RECOMMENDED, Recommended
from cl_core.runs.feature_cache import cached_rows
from cl_core.runs.folder import RunFolder
from cl_core.runs.hub_names import HubName, hub_name
from cl_core.text import text, texts
from cl_core.ui import missing_images, visitors
from cl_core.ui.access import Access
from cl_core.ui.components import menu
from cl_core.ui.events import QUICK
from cl_core.ui.explanation import emphasized, explanation
from cl_core.ui.glossary import with_hints
from cl_core.ui.page import Event, Page
from cl_core.ui.progress import progress_bar, result, time_left
from cl_core.ui.uploads import uploads_dir

REPORT_EVERY_S = 0.5
# One of all these at a time: two would each take twice as long.
LONG: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 1, "concurrency_id": "hub"}
SAVING: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": 1, "concurrency_id": "save"}
F = TypeVar("F")


def table(store: ModelStore, viewer: str | None = "") -> str:
    """The models here, as tables: one for each protocol of the accuracy, as accuracies of two cannot be compared."""
    groups: dict[tuple[str, str], list[tuple[float, str]]] = {}
    shipped, own = store.shipped_names(), store.own_names()
    for name in store.names(viewer):
        record = store.get(name).record
        knn = KnnResult.from_metrics(record.metrics.get("knn"))
        cells = (
            name,
            record.config.method,
            record.config.encoder,
            with_interval(knn) if knn else "–",
            *(_rounded((record.metrics.get("geometry") or {}).get(name)) for name in ("alignment", "uniformity")),
            _origin(name, record.metrics.get("source"), shipped, own),
        )
        row = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        protocol = knn.split() if knn else text("models.no_accuracy")
        groups.setdefault((record.config.dataset, protocol), []).append((-knn.accuracy if knn else 0, row))
    head = "".join(f"<th scope='col'>{html.escape(each)}</th>" for each in texts("models.head").values())
    tables = []
    for (dataset, protocol), rows in groups.items():
        caption = text("models.group", images=_title(dataset), protocol=protocol)
        body = "".join(f"<tr>{row}</tr>" for _, row in sorted(rows))
        filled = f"<caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
        label = html.escape(caption, quote=True)
        tables.append(f"<div class='models-table' role='region' aria-label='{label}' tabindex='0'><table>{filled}</table></div>")
    about = f"<p class='table-about'>{with_hints(emphasized(text('models.table_about')))}</p>"
    return about + "".join(tables)


def _title(dataset: str) -> str:
    """Title of a data set; its name where it is damaged."""
    try:
        return load_dataset(dataset).title
    except UserError:
        return dataset


def with_interval(knn: KnnResult) -> str:
    """An accuracy with half the width of its 95 % interval, in percent."""
    error = CERTAIN * (knn.accuracy * (1 - knn.accuracy) / max(1, knn.queries)) ** 0.5
    return f"{100 * knn.accuracy:.1f} ± {100 * error:.1f} %"


def _rounded(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _origin(name: str, source: dict[str, Any] | None, shipped: Collection[str], own: Collection[str]) -> str:
    if name in shipped:
        return text("models.shipped")
    if source:
        return text("models.encoder_from", **source)
    return text("models.trained") if name in own else text("models.pulled")


def _start(fetch: Callable[[], F]) -> Future[F]:
    """Call `fetch` in a thread. It continues when the page closes, so that the next call takes less."""
    pool = ThreadPoolExecutor(1)
    future = pool.submit(fetch)
    pool.shutdown(wait=False)
    return future


def _fetching(name: HubName, future: Future[Any]) -> Iterator[str]:
    """The progress of a download, until `future` is done."""
    while True:
        yield progress_bar(None, text("models.fetching", name=name, mb=f"{downloaded_bytes(name) / 1e6:.0f}"))
        if wait([future], REPORT_EVERY_S).done:
            return


def pull_run(access: Access, store: ModelStore, name: str) -> Iterator[tuple[Any, ...]]:
    """Pull a run; yields status, model menu, table."""
    from cl_core.hub.pull import pull

    largest, repository = visitors.check_room(access), hub_name(name.strip())
    future = _start(lambda: pull(str(repository), largest))
    for status in _fetching(repository, future):
        yield status, gr.skip(), gr.skip()
    try:
        folder = future.result()
    except Exception:
        yield "", gr.skip(), gr.skip()
        raise
    pulled = f"{folder.hub_name.repository}@{folder.commit[:SHORT_COMMIT]}"
    names = store.names(None)
    if pulled not in names:
        yield "", gr.skip(), table(store, None)
        raise UserError("models.no_images", name=pulled, dataset=folder.read_record().config.dataset)
    yield _ready(pulled), gr.update(choices=names, value=pulled), table(store, None)


def import_encoder(access: Access, store: ModelStore, recommended: str, other: str, dataset: str) -> Iterator[tuple[Any, ...]]:
    """Import a public encoder and compute features of the images; yields status, stop button, model menu, table."""
    from cl_core.hub.encoder import PREFIX, fetch_encoder

    largest, repository = visitors.check_room(access), hub_name((other.strip() or recommended).removeprefix(PREFIX))
    future = _start(lambda: fetch_encoder(str(repository), dataset, largest=largest))
    for status in _fetching(repository, future):
        yield status, gr.update(interactive=True), gr.skip(), gr.skip()
    try:
        folder = future.result()
        for status in _encode_images(folder, visitors.turn_s(access)):
            yield status, gr.skip(), gr.skip(), gr.skip()
    except Exception:
        yield "", gr.update(interactive=False), gr.skip(), gr.skip()
        raise
    chosen = gr.update(choices=store.names(None), value=folder.name)
    yield _ready(folder.name), gr.update(interactive=False), chosen, table(store, None)


def _encode_images(folder: RunFolder, turn: float | None) -> Iterator[str]:
    """Compute the features of an imported encoder; yields the progress.

    Raises:
        UserError: it takes longer than `turn` seconds.
    """
    from cl_core.hub.encoder import encode_dataset

    count = len(cached_rows(load_dataset(folder.read_record().config.dataset)))
    started, first, reported = time.monotonic(), None, 0.0
    with contextlib.closing(encode_dataset(folder)) as fractions:
        for fraction in fractions:
            first = fraction if first is None else first
            now = time.monotonic()
            if fraction == 1:
                yield progress_bar(None, text("models.measuring"))
            elif turn is not None and fraction > first and now - started > turn:
                raise UserError("models.turn_over", name=folder.name, minutes=f"{turn / 60:.0f}")
            elif now - reported > REPORT_EVERY_S:
                reported = now
                left = (now - started) * (1 - fraction) / (fraction - first) if fraction > first else None
                yield progress_bar(fraction, _encoding(count, fraction, left))


def _offer(each: Recommended) -> str:
    learned = text(f"models.learned.{each.learned}")
    return f"{each.title} · {learned} · {each.year} · {each.license} · {each.megabytes} MB"


def _encoding(count: int, fraction: float, left_s: float | None) -> str:
    message = text("models.encoding", count=f"{count:,}", fraction=f"{fraction:.0%}")
    return message if left_s is None else message + time_left(left_s)


def _ready(name: str) -> str:
    return result(text("models.done", name=name))


def publish(model: Model, name: str, private: bool) -> Iterator[str]:
    """Push the page's model; yields the status."""
    from cl_core.hub.push import push

    yield progress_bar(None, text("models.publishing", model=model.name))
    try:
        address = html.escape(push(model.folder, name.strip(), private), quote=True)
    except Exception:
        yield ""
        raise
    message = html.escape(text("models.published", model=model.name))
    yield f"<p class='work-done' role='status'>{message} <a href='{address}' target='_blank' rel='noopener'>{address}</a></p>"


def stopped() -> tuple[str, Any]:
    """The status after a stop, and the stop button."""
    return result(text("models.stopped")), gr.update(interactive=False)


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; its table is filled when its tab opens."""
    explanation("models", text("models.about"))
    for dataset, checkpoints in page.store.without_images().items():
        missing_images.build(dataset, checkpoints, page)
    listed = gr.HTML("", elem_id="models-list", render=False)
    with gr.Row(elem_classes="panel-row"):
        if page.access.hub:
            with gr.Column(scale=2, min_width=320, elem_classes="panel"):
                _encoder_form(page, opened, listed)
            with gr.Column(scale=1, min_width=280, elem_classes="panel"):
                _pull_form(page, listed)
            with gr.Column(scale=1, min_width=280, elem_classes="panel"):
                _publish_form(page)
        else:
            why = text("access.read_only") if page.access.options.read_only else text("models.hub_off")
            gr.Markdown(why, elem_classes="small", elem_id="models-off")
        with gr.Column(scale=1, min_width=280, elem_classes="panel"):
            _save_form(page)
    listed.render()

    def filled(request: gr.Request) -> str:
        return table(page.store, page.access.viewer(request))

    opened(page.handles(filled), None, listed, **QUICK)


def _encoder_form(page: Page, opened: Event, listed: gr.HTML) -> None:
    offered = [(_offer(each), each.repository) for each in RECOMMENDED]
    names = dataset_names()
    gr.Markdown(text("models.encoders_about"), elem_classes="small")
    recommended = gr.Dropdown(
        offered,
        value=RECOMMENDED[0].repository,
        label=text("models.recommended"),
        info=text("models.recommended_hint"),
        filterable=False,
    )
    other = gr.Textbox("", label=text("models.other"), placeholder="hf-hub:timm/…", max_lines=1, elem_id="models-other")
    dataset = menu(names, value=names[0], label=text("models.dataset"), info=text("models.dataset_hint"), filterable=False)
    with gr.Row():
        start = gr.Button(text("models.import"), variant="primary", elem_id="models-import")
        stop = gr.Button(text("models.stop"), interactive=False, elem_id="models-stop")
    status = gr.HTML("", elem_id="models-status")
    page.link("encoder", recommended)
    page.link("other-encoder", other)
    page.link("encoder-dataset", dataset, choices=dataset_names)

    def here(request: gr.Request, chosen: str) -> Any:
        found = dataset_names(page.access.viewer(request))
        return gr.update(choices=found, value=chosen if chosen in found else found[0])

    opened(page.handles(here), dataset, dataset, **QUICK)  # with images that were imported meanwhile
    outputs = [status, stop, page.model, listed]
    running = start.click(
        page.handles_action("hub", partial(import_encoder, page.access, page.store)),
        [recommended, other, dataset],
        outputs,
        trigger_mode="multiple",
        **LONG,
    )
    stop.click(None, cancels=[running], api_visibility="private")
    # Only after the stop, or its last status would come after ours. Gradio counts what was cancelled as failed.
    running.failure(page.handles(stopped), None, [status, stop], show_progress="hidden", api_visibility="private")


def _pull_form(page: Page, listed: gr.HTML) -> None:
    gr.Markdown(text("models.pull_about"), elem_classes="small")
    name = gr.Textbox(
        "",
        label=text("models.pull_name"),
        info=text("models.pull_hint"),
        placeholder="OWNER/NAME",
        max_lines=1,
        elem_id="models-pull-name",
    )
    pull = gr.Button(text("models.pull"), elem_id="models-pull")
    status = gr.HTML("", elem_id="models-pull-status")
    page.link("pull", name)
    pulls = page.handles_action("hub", partial(pull_run, page.access, page.store))
    gr.on([pull.click, name.submit], pulls, name, [status, page.model, listed], **LONG)


def save_file(model: Model, choice: str) -> Path:
    """A file of a model, for download.

    Args:
        choice: a kind and an ending, such as "features.csv".

    Raises:
        UserError: there is no such choice, or the file cannot be written.
    """
    kind, _, ending = choice.partition(".")
    folder = Path(tempfile.mkdtemp(prefix="save-", dir=uploads_dir()))
    name = re.sub(r"[^\w.-]+", "-", model.name)
    return save(model, kind, folder / f"{name}-{kind}.{ending}")


def _save_form(page: Page) -> None:
    gr.Markdown(text("models.save_about"), elem_classes="small")
    offered = [(text(f"models.save_kind.{kind}", ending=ending), f"{kind}{ending}") for kind in KINDS for ending in KINDS[kind]]
    with gr.Row(elem_classes="save-row"):
        choice = gr.Dropdown(
            offered, value=offered[0][1], label=text("models.save_as"), filterable=False, scale=3, elem_id="models-save-as"
        )
        prepare = gr.Button(text("models.save"), scale=1, elem_id="models-save")
        download = gr.DownloadButton(text("models.save_download"), visible=False, scale=2, elem_id="models-save-download")
    page.link("save-as", choice)

    def prepared(request: gr.Request, model: Model, chosen: str) -> Any:
        page.access.visitor(request)
        if model.name in page.store.own_names():
            page.access.own(model.folder.path, request)
        file = save_file(model, chosen)
        label = text("models.save_ready", name=file.name, mb=f"{file.stat().st_size / 1e6:.1f}")
        return gr.update(value=str(file), label=label, visible=True)

    def hidden() -> Any:
        return gr.update(visible=False)

    inputs = [page.model, choice]
    prepare.click(page.handles(prepared, inputs), inputs, download, show_progress_on=prepare, **SAVING)
    gr.on([page.model.change, choice.change], hidden, None, download, **QUICK)


def _publish_form(page: Page) -> None:
    # Not in the link: only the person at the page chooses where to publish.
    gr.Markdown(text("models.publish_about"), elem_classes="small")
    name = gr.Textbox("", label=text("models.publish_name"), placeholder="OWNER/NAME", max_lines=1, elem_id="models-publish-name")
    private = gr.Checkbox(False, label=text("models.private"))
    send = gr.Button(text("models.publish"), elem_id="models-publish")
    status = gr.HTML("", elem_id="models-publish-status")
    send.click(page.handles_action("hub", publish, page.model), [page.model, name, private], status, **LONG)
