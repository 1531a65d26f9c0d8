"""Train: start a run, follow it, and open it in every tab."""

from __future__ import annotations

import contextlib
import shutil
from typing import Any

import gradio as gr
from pydantic import ValidationError

from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError, from_validation, quoted
from cl_core.explore.model_store import ModelStore, trained_records
from cl_core.runs.config import NO_DRAWINGS, RunConfig
from cl_core.runs.folder import WAITING, RunFolder
from cl_core.runs.options import read_settings
from cl_core.system.files import OWNER, modified_at, owner_of, write_bytes
from cl_core.system.memo import Memo
from cl_core.system.paths import trained_dir
from cl_core.system.trash import REMOVED, remove_folder, restore_folder
from cl_core.text import language, text
from cl_core.training.drawings import match_drawings
from cl_core.training.estimate import check_affordable
from cl_core.training.jobs import Jobs, waiting_settings
from cl_core.training.setup import check_data
from cl_core.ui import visitors
from cl_core.ui.access import Access
from cl_core.ui.components import figure_view, menu
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.explanation import explanation
from cl_core.ui.page import Event, Page, any_of
from cl_core.ui.progress import result
from cl_core.ui.run_status import RunStatus, folder_of, numbered_folder, read_status, status
from cl_core.ui.tabs.curves import figures_of
from cl_core.ui.tabs.training_form import FORM, MAX_OTHER, SNAPSHOTS, build_all_settings, build_form, coffee_break
from cl_core.ui.training_plan import in_minutes, minutes_of, training_plan
from cl_core.ui.uploads import uploads_dir

POLL_S = 1.5
# A number that is being typed is kept: an estimate may arrive meanwhile.
KEEP_TYPED = "(planned, typed) => document.activeElement?.closest('#train-minutes') ? typed : planned"
COFFEE_MINUTES, COFFEE_MINUTES_SHARED = 15, 12  # the latter is shorter than `visitors.TURN_S`


def settings_of(access: Access, given: dict[str, Any], other: str) -> RunConfig:
    """Settings from the form, overridden by its line of options.

    Raises:
        UserError: an unknown or invalid setting, or one that does not fit the data set.
    """
    if len(other) > MAX_OTHER:
        raise UserError("train.other_long", most=f"{MAX_OTHER:,}")
    try:
        config = RunConfig.model_validate({"snapshots": SNAPSHOTS} | given | read_settings(other, RunConfig))
    except ValidationError as error:
        raise from_validation(error) from None
    # Not even one's own: runs on a bundled data set are shown to everyone.
    shared = dataset_names("" if access.strangers else None)
    if config.drawings not in (NO_DRAWINGS, *shared):
        raise UserError("data.no_such_dataset", name=quoted(config.drawings), choices=", ".join(shared))
    data = load_dataset(config.dataset)
    check_data(config, data)
    if config.drawings != NO_DRAWINGS:
        match_drawings(data, load_dataset(config.drawings))
    visitors.check_training(access, config)
    return config


def new_folder(config: RunConfig) -> RunFolder:
    """A new folder for a run, named by its data set and method.

    Raises:
        UserError: the folder cannot be made.
    """
    return RunFolder(numbered_folder(trained_dir(), f"{config.dataset}-{config.method}"))


def names(jobs: Jobs, viewer: str | None = None) -> list[str]:
    """Names of the runs started here: the one in progress first, then those that wait, then the newest.

    viewer: a visitor, who does not see runs on images of others; None sees all.
    """
    shown = set(dataset_names(viewer))
    folders = {
        name: folder_of(name)
        for name, record in trained_records().items()
        if viewer is None or record.config.dataset in shown or owner_of(folder_of(name).path) == viewer
    }
    found = sorted(folders, key=lambda name: modified_at(folders[name].record_file), reverse=True)
    home = trained_dir().resolve()
    planned = [file.parent for file in home.glob(f"*/{WAITING}") if not RunFolder(file.parent).exists()]
    active = [*jobs.active, *planned]
    now = [
        path.name
        for path in dict.fromkeys(active)
        if path.parent == home and (viewer is None or owner_of(path) == viewer or path.name in found)
    ]
    return [*now, *(name for name in found if name not in now)]


def draw_curves(run: RunStatus, before: str) -> tuple[Any, str]:
    """The curves of a run, and a key of their content; skipped where the key is `before`."""
    begun = run.record is not None and any(point["kind"] == "loss" for point in run.metrics)
    drawn_from = f"{run.name} {len(run.metrics)} {run.record.state}" if run.record and begun else ""
    if drawn_from and drawn_from == before:
        return gr.skip(), before
    if run.record is None or not begun:  # axes without a point would have any numbers
        return figures_value(label=text("curves.label")), ""
    record, key = run.record, (language(), drawn_from, str(run.metrics[-1]))
    return _drawn.get(key, lambda: figures_of(run.name, run.metrics, record)), drawn_from


_drawn: Memo[Any] = Memo(32)  # pages that follow one run draw it once


def watch(jobs: Jobs, store: ModelStore, name: str, before: str, allowed: bool = True, first: bool = True) -> tuple[Any, ...]:
    """Outputs for a run: status, buttons to pause, resume, prefer, open, download and remove it, the clock, curves and their key.

    allowed: whether this visitor may pause, resume and download it. first: whether a run that waits may become the next one,
    and the log of one that failed is shown.
    """
    run = read_status(jobs, name)
    usable, archive = name in store.own_names(), None
    if usable and allowed:
        with contextlib.suppress(UserError):  # damaged: the tabs show the error
            archive = store.archive(name, uploads_dir())
    unfinished = run.planned or (run.record is not None and run.record.state in ("running", "stopped"))
    can_resume = allowed and unfinished and not (run.is_training or run.place)
    return (
        status(run, first),
        gr.update(interactive=allowed and ((run.here and not run.stopping) or run.place > 0)),
        gr.update(interactive=can_resume),
        gr.update(visible=allowed and first and run.place > 1),
        gr.update(interactive=usable),
        gr.update(interactive=archive is not None, value=archive),
        gr.update(interactive=allowed and (run.record is not None or run.planned) and not run.is_training),
        gr.update(active=run.is_training or run.place > 0),
        *draw_curves(run, before),
    )


def start(access: Access, jobs: Jobs, config: RunConfig, visitor: str) -> str:
    """Start a run that belongs to the visitor, or let it wait for those before it; returns its name.

    Raises:
        UserError: the visitor has too many runs, too many wait, or this one is too large for the machine.
    """
    visitors.check_runs(access, visitor)
    visitors.check_waiting(access, visitor, jobs.waiting)
    check_affordable(config, load_dataset(config.dataset))
    folder = new_folder(config)
    write_bytes(folder.path / OWNER, visitor.encode())
    try:
        jobs.enqueue(folder.path, config.model_dump(mode="json"), visitors.turn_s(access))
    except UserError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    return folder.name


def resume(access: Access, jobs: Jobs, name: str, visitor: str) -> None:
    """Resume a run that was paused or interrupted, or start one that was to start, when those before it have ended.

    Raises:
        UserError: too many runs wait, or its settings are not allowed here.
    """
    visitors.check_waiting(access, visitor, jobs.waiting)
    folder = folder_of(name)
    settings = {} if folder.exists() else waiting_settings(folder.path)
    if settings is None:
        raise UserError("train.gone", name=quoted(name))
    try:
        config = RunConfig.model_validate(settings) if settings else folder.read_record().config
    except ValidationError as error:
        raise from_validation(error) from None
    visitors.check_training(access, config)
    jobs.enqueue(folder.path, settings, visitors.turn_s(access))


def build(page: Page, opened: Event) -> None:
    """Lay out the tab; its runs are listed when its tab opens."""
    jobs, access = page.jobs, page.access
    about = text("train.about")
    if not access.training:
        gr.Markdown(text("access.read_only"), elem_classes="about", elem_id="train-off")
        return
    if access.strangers:
        about += " " + text("train.about_space", minutes=f"{visitors.TURN_S / 60:.0f}")
    explanation("train", about)
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=2, min_width=320, elem_classes="panel"):
            form = build_form(page)
            controls, other = form.controls, form.other
            plan = gr.HTML("", elem_id="train-plan")
            with gr.Row():
                train = gr.Button(text("train.train"), variant="primary", elem_id="train-start")
                coffee_minutes = COFFEE_MINUTES_SHARED if access.strangers else COFFEE_MINUTES
                coffee = gr.Button(text("train.coffee", minutes=coffee_minutes), elem_id="train-coffee")
            build_all_settings(page, opened, form)
        with gr.Column(scale=3, min_width=320, elem_classes="panel"):
            runs = menu([], value=None, label=text("train.run"), info=text("train.run_hint"), elem_id="train-run")
            message = gr.HTML("", elem_id="train-status")
            with gr.Row(elem_id="train-actions"):
                stop = gr.Button(text("train.stop"), interactive=False, elem_id="train-stop", min_width=96)
                resume_button = gr.Button(text("train.resume"), interactive=False, elem_id="train-resume", min_width=96)
                prefer = gr.Button(text("train.prefer"), visible=False, elem_id="train-prefer", min_width=96)
                use = gr.Button(text("train.use"), interactive=False, elem_id="train-use", min_width=96)
                download = gr.DownloadButton(text("train.download"), interactive=False, elem_id="train-download", min_width=96)
                remove = gr.Button(text("train.remove"), interactive=False, elem_id="train-remove", min_width=96)
                undo = gr.Button(text("train.undo"), visible=False, elem_id="train-undo", min_width=96)
            view = figure_view(elem_id="train-curves")
    drawn_from = gr.Textbox("", visible=False)
    clock = gr.Timer(POLL_S, active=False)
    page.link("run", runs, choices=lambda viewer: names(jobs, viewer))
    removed = gr.Textbox("", visible=False)
    watched = [message, stop, resume_button, prefer, use, download, remove, clock, view, drawn_from]

    def start_run(request: gr.Request, minutes: float | None, planned: float | None, *given: Any) -> Any:
        visitor = access.check("train", request)
        values = dict(zip(FORM, given[:-1], strict=True))
        config = in_minutes(settings_of(access, values, given[-1]), minutes, planned)
        name = start(access, jobs, config, visitor)
        return gr.update(choices=names(jobs, access.viewer(request)), value=name)

    def shown(name: str, before: str, allowed: bool = True) -> tuple[Any, ...]:
        return watch(jobs, page.store, name, before, allowed, not access.strangers)

    def resume_run(request: gr.Request, name: str, before: str) -> tuple[Any, ...]:
        visitor = access.check("train", request)
        access.own(folder_of(name).path, request)
        resume(access, jobs, name, visitor)
        return shown(name, before)

    def pause_run(request: gr.Request, name: str, before: str) -> tuple[Any, ...]:
        access.check("train", request)
        access.own(folder_of(name).path, request)
        jobs.pause(folder_of(name).path)
        return shown(name, before)

    def prefer_run(request: gr.Request, name: str, before: str) -> tuple[Any, ...]:
        access.check("train", request)
        if not access.strangers:
            jobs.move_to_front(folder_of(name).path)
        return shown(name, before)

    def show_run(request: gr.Request, name: str | None, before: str) -> tuple[Any, ...]:
        name = name or ""
        return shown(name, before, name != "" and access.owns(folder_of(name).path, request))

    def update_run(request: gr.Request, name: str, before: str) -> tuple[Any, ...]:
        shown_now = show_run(request, name, before)
        trained = name != "" and jobs.is_training(folder_of(name).path)
        here = gr.skip() if trained else gr.update(choices=page.store.names(access.viewer(request)))
        return *shown_now, here

    def list_runs(request: gr.Request, name: str | None) -> tuple[Any, ...]:
        viewer = access.viewer(request)
        found = names(jobs, viewer)
        name = name or (found[0] if found else "")
        images = gr.update(choices=dataset_names(viewer))
        return images, gr.update(choices=found, value=name or None), *show_run(request, name, "")

    def use_run(request: gr.Request, name: str) -> tuple[Any, str]:
        page.store.config(name)
        return gr.update(choices=page.store.names(access.viewer(request)), value=name), result(text("models.done", name=name))

    def remove_run(request: gr.Request, name: str, current: str) -> tuple[Any, ...]:
        access.check("train", request)
        folder = folder_of(name)
        access.own(folder.path, request)
        jobs.dequeue(folder.path)
        if folder.is_claimed() or jobs.is_training(folder.path):
            raise UserError("train.in_use", name=name)
        remove_folder(folder.path)
        found, models = names(jobs, access.viewer(request)), page.offered_models(request, current)
        first = found[0] if found else ""
        changes = gr.update(choices=found, value=first or None), models, name, gr.update(visible=True)
        return *changes, *show_run(request, first, "")

    def restore_run(request: gr.Request, name: str) -> tuple[Any, ...]:
        visitor = access.check("train", request)
        folder = folder_of(name).path
        access.own(folder.parent / REMOVED / folder.name, request)
        visitors.check_runs(access, visitor)
        restore_folder(folder)
        models = gr.update(choices=page.store.names(access.viewer(request)))
        changes = gr.update(choices=names(jobs, access.viewer(request)), value=name), models, "", gr.update(visible=False)
        return *changes, *show_run(request, name, "")

    def estimate_plan(*given: Any) -> tuple[str, float | None]:
        try:
            config = settings_of(access, dict(zip(FORM, given[:-1], strict=True)), given[-1])
            minutes = minutes_of(config)
            return training_plan(config, minutes), minutes
        except UserError as error:
            return result(str(error)), None

    def fit_epochs(minutes: float | None, planned: float | None, *given: Any) -> Any:
        config = settings_of(access, dict(zip(FORM, given[:-1], strict=True)), given[-1])
        return in_minutes(config, minutes, planned).epochs

    def fill_recipe(request: gr.Request, dataset: str) -> list[Any]:
        names_here = dataset_names(access.viewer(request))
        if dataset not in names_here:
            raise UserError("data.no_such_dataset", name=quoted(dataset), choices=", ".join(names_here))
        values, line = coffee_break(dataset, coffee_minutes)
        return [*values, line]

    coffee.click(page.handles(fill_recipe), controls[FORM.index("dataset")], [*controls, other], **PRESSED)
    changed = any_of([*(each.change for each in controls), other.change, opened])
    changed(page.handles(estimate_plan), [*controls, other], [plan, form.planned], **QUICK)
    form.planned.change(None, [form.planned, form.minutes], form.minutes, js=KEEP_TYPED, api_visibility="private")
    timed = any_of([form.minutes.blur, form.minutes.submit])
    timed(page.handles(fit_epochs), [form.minutes, form.planned, *controls, other], controls[FORM.index("epochs")], **PRESSED)
    train.click(page.handles(start_run), [form.minutes, form.planned, *controls, other], runs, **PRESSED)
    runs.change(page.handles(show_run), [runs, drawn_from], watched, **QUICK)
    resume_button.click(page.handles(resume_run), [runs, drawn_from], watched, **PRESSED)
    stop.click(page.handles(pause_run), [runs, drawn_from], watched, **PRESSED)
    prefer.click(page.handles(prefer_run), [runs, drawn_from], watched, **PRESSED)
    remove.click(page.handles(remove_run), [runs, page.model], [runs, page.model, removed, undo, *watched], **PRESSED)
    undo.click(page.handles(restore_run), removed, [runs, page.model, removed, undo, *watched], **PRESSED)
    clock.tick(page.handles(update_run), [runs, drawn_from], [*watched, page.model], **QUICK)
    use.click(page.handles(use_run), runs, [page.model, message], **PRESSED)
    opened(page.handles(list_runs), runs, [form.dataset, runs, *watched], **QUICK)
