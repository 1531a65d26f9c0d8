"""Which method works here: methods are trained briefly on the chosen images and compared; part of the tab Images."""

from __future__ import annotations

import html
import shutil
from pathlib import Path
from typing import Any

import gradio as gr

from cl_core.data.dataset import DATASET_NAME
from cl_core.data.registry import dataset_names, load_dataset
from cl_core.errors import UserError
from cl_core.figures.standings import standings_figure
from cl_core.networks.methods import METHODS, TRAINABLE
from cl_core.runs.config import RunConfig
from cl_core.runs.folder import COMPARISONS
from cl_core.system.files import OWNER, write_bytes
from cl_core.system.paths import trained_dir
from cl_core.text import text, texts
from cl_core.training.comparison_state import (
    ComparisonConfig,
    ComparisonState,
    Standing,
    checked_config,
    rank_entries,
    read_comparison,
    run_config,
)
from cl_core.training.jobs import Jobs, JobState, waiting_settings
from cl_core.training.setup import check_data
from cl_core.ui import visitors
from cl_core.ui.access import Access
from cl_core.ui.components import figure_view
from cl_core.ui.components.figure_view import figures_value
from cl_core.ui.events import PRESSED, QUICK
from cl_core.ui.explanation import emphasized
from cl_core.ui.glossary import with_hints
from cl_core.ui.names import entry_name
from cl_core.ui.page import Page, any_of
from cl_core.ui.progress import progress_bar, result, time_left
from cl_core.ui.run_status import numbered_folder
from cl_core.ui.training_plan import comparison_plan

USUAL = ("simclr", "moco", "simsiam")
WITH_LABELS = ("supcon",)
MINUTES, MIN_MINUTES, MAX_MINUTES, MAX_SHARED_MINUTES = 10, 2, 120, 12  # of the last, shorter than `visitors.TURN_S`
POLL_S = 1.5
# The number makes each request differ from the one before, so that Gradio reports a change.
TO_TRAINING = "(plan) => { const link = window.contrastiveLink; link.goTo('train'); return [`${plan} #${link.nextTurn()}`]; }"


def comparisons_dir() -> Path:
    return trained_dir() / COMPARISONS


def new_comparison(dataset: str) -> Path:
    """A new folder for a comparison on a data set.

    Raises:
        UserError: it cannot be made.
    """
    return numbered_folder(comparisons_dir(), dataset)


def latest(dataset: str | None, access: Access, request: gr.Request | None) -> Path | None:
    """The visitor's latest comparison on a data set, also one that has not begun."""
    found: list[tuple[int, Path]] = []
    if not dataset or not DATASET_NAME.fullmatch(dataset):
        return None
    for folder in comparisons_dir().glob(f"{dataset}-*"):
        known, waiting = read_comparison(folder), waiting_settings(folder)
        of = known.config.dataset if known else waiting and waiting.get("dataset")
        if of == dataset and access.owns(folder, request):
            found.append((int(folder.name.rpartition("-")[2]), folder))  # of `numbered_folder`
    return max(found)[1] if found else None


def check(access: Access, config: ComparisonConfig) -> None:
    """Check that the methods can learn from these images, and that a visitor may train them.

    Raises:
        UserError: they cannot, or the runs would take too much of the machine.
    """
    data = load_dataset(config.dataset)
    for method in config.methods:
        each = run_config(config, method, 1, 0, data)
        check_data(each, data)
        visitors.check_training(access, each)


def start(access: Access, jobs: Jobs, config: ComparisonConfig, visitor: str) -> Path:
    """Start a comparison that belongs to the visitor, or let it wait for the jobs before it.

    Raises:
        UserError: a method cannot learn from these images, the visitor has too many comparisons, or too many jobs wait.
    """
    check(access, config)
    visitors.check_comparisons(access, visitor, comparisons_dir())
    visitors.check_waiting(access, visitor, jobs.waiting)
    folder = new_comparison(config.dataset)
    write_bytes(folder / OWNER, visitor.encode())
    try:
        jobs.enqueue(folder, config.model_dump(mode="json"), visitors.turn_s(access), "comparison")
    except UserError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def status(known: ComparisonState | None, job: JobState) -> str:
    """Progress of a comparison as HTML. known: None if it has not begun."""
    if job.place:
        return result(text("comparison.waiting", place=job.place, waiting=job.waiting))
    if job.problem:
        return result(job.problem)
    if job.stopping:
        return progress_bar(None, text("train.stopping"))
    if known is None:
        return progress_bar(None, text("train.starting")) if job.running else result(text("comparison.not_begun"))
    budget = 60 * known.config.minutes
    if job.running:
        message = text("comparison.doing", name=entry_name(known.doing)) if known.doing else text("train.starting")
        if known.steps:
            message += " " + text("comparison.step", step=f"{known.step:,}", steps=f"{known.steps:,}")
        left = budget - known.spent
        message += time_left(left) if left > 0 else " " + text("comparison.over")
        return progress_bar(min(1.0, known.spent / budget), message)
    if known.state == "finished":
        return result(text("comparison.finished", minutes=f"{known.spent / 60:.1f}"))
    return result(text("comparison.stopped", minutes=f"{known.spent / 60:.1f}"))


def advice(known: ComparisonState, standings: list[Standing]) -> str:
    """What to conclude, in sentences."""
    if not standings:
        return ""
    first = standings[0]
    score, low, high = (f"{value:.1%}" for value in (first.entry.score, first.low, first.high))
    values = {"name": entry_name(first.entry.name), "score": score, "low": low, "high": high}
    parts = [text(f"comparison.best_{known.measure}", **values)]
    tied = [entry_name(each.entry.name) for each in standings if each.tied]
    if len(standings) > 1:
        parts.append(text("comparison.tied", names=", ".join(tied)) if tied else text("comparison.clear"))
    trained = [each for each in standings if each.entry.kind == "method"]
    baseline = max((each.entry.score for each in standings if each.entry.kind == "baseline"), default=0.0)
    if trained and known.measure == "knn":
        gap = 100 * (trained[0].entry.score - baseline)
        if gap > 0:
            parts.append(text("comparison.above", name=entry_name(trained[0].entry.name), points=f"{gap:.1f}"))
        else:
            parts.append(text("comparison.below"))
    return " ".join(parts)


def table(known: ComparisonState, standings: list[Standing]) -> str:
    """The entries as an HTML table with what was measured."""
    if not standings:
        return ""
    heads = texts("comparison.head_knn") if known.measure == "knn" else texts("comparison.head_pairs")
    head = "".join(f"<th scope='col'>{html.escape(each)}</th>" for each in heads.values())
    rows = []
    for each in standings:
        entry = each.entry
        cells = [f"{each.low:.1%} – {each.high:.1%}", f"{each.best:.0%}"]
        cells += [f"{entry.linear:.1%}" if entry.linear is not None else "–"] if known.measure == "knn" else []
        cells += [f"{entry.rank:.0f}" if entry.rank else "–", f"{entry.agreement:.0%}" if entry.agreement is not None else "–"]
        cells += [f"{entry.epochs} × {len(entry.right)}" if entry.epochs else "–", f"{entry.seconds:.0f} s"]
        rows.append("".join(f"<td>{html.escape(cell)}</td>" for cell in (entry_name(entry.name), f"{entry.score:.1%}", *cells)))
    failed = (f"{entry_name(each.name)}: {each.problem}" for each in known.entries if each.problem)
    problems = "".join(f"<p class='table-about'>{html.escape(each)}</p>" for each in failed)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    numbers = {"queries": f"{known.queries:,}", "gallery": f"{known.gallery:,}"}
    about = with_hints(emphasized(text(f"comparison.about_{known.measure}", **numbers)))
    return (
        f"<div class='models-table' role='region' aria-label='{html.escape(text('comparison.title'))}' tabindex='0'>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div><p class='table-about'>{about}</p>{problems}"
    )


def figure(known: ComparisonState, standings: list[Standing]) -> dict[str, Any]:
    """The entries as bars."""
    if not standings:
        return figures_value(label=text("comparison.title"))
    axis = text(f"comparison.axis_{known.measure}")
    drawn = standings_figure(
        [entry_name(each.entry.name) for each in standings],
        [each.entry.kind for each in standings],
        [each.entry.score for each in standings],
        [(each.low, each.high) for each in standings],
        axis,
    )
    return figures_value(drawn, label=text("comparison.title"))


def offered(dataset: str) -> tuple[list[tuple[str, str]], list[str]]:
    """The methods that can learn from these images, and those chosen at first."""
    data = load_dataset(dataset)
    can = [name for name in TRAINABLE if data.labeled or not METHODS[name].uses_labels(RunConfig(dataset=dataset, method=name))]
    return [(entry_name(name), name) for name in can], [*USUAL, *(WITH_LABELS if data.labeled else ())]


def build(page: Page, look: gr.Dropdown) -> None:
    """Lay out the part; it follows the data set that `look` shows."""
    access, jobs = page.access, page.jobs
    gr.Markdown(f"## {text('comparison.title')}\n\n{text('comparison.about')}", elem_classes="part")
    with gr.Row(elem_classes="panel-row"):
        with gr.Column(scale=2, min_width=320, elem_classes="panel"):
            methods = gr.CheckboxGroup(
                [(entry_name(each), each) for each in TRAINABLE],
                value=list(USUAL),
                label=text("comparison.methods"),
                elem_id="comparison-methods",
            )
            minutes = gr.Slider(
                MIN_MINUTES,
                MAX_SHARED_MINUTES if access.strangers else MAX_MINUTES,
                value=MINUTES,
                step=1,
                label=text("comparison.minutes"),
                info=text("comparison.minutes_hint"),
            )
            plan = gr.HTML("", elem_id="comparison-plan")
            with gr.Row():
                begin = gr.Button(text("comparison.start"), variant="primary", elem_id="comparison-start")
                stop = gr.Button(text("train.stop"), interactive=False, elem_id="comparison-stop")
                resume = gr.Button(text("train.resume"), interactive=False, elem_id="comparison-resume")
            message = gr.HTML("", elem_id="comparison-status")
        with gr.Column(scale=3, min_width=320, elem_classes="panel"):
            said = gr.HTML("", elem_id="comparison-advice")
            view = figure_view(elem_id="comparison-figure")
            listed = gr.HTML("", elem_id="comparison-table")
            longer = gr.Button(text("comparison.longer"), visible=False, elem_id="comparison-longer")
    page.link("comparison-methods", methods)
    page.link("comparison-minutes", minutes)
    clock, shown, winner = gr.Timer(POLL_S, active=False), gr.Textbox("", visible=False), gr.Textbox("", visible=False)
    outputs = [message, stop, resume, clock, said, view, listed, longer, winner, shown]

    def follow(request: gr.Request, dataset: str, before: str) -> tuple[Any, ...]:
        folder = latest(dataset, access, request) if dataset in dataset_names(access.viewer(request)) else None
        if folder is None:
            nothing = figures_value(label=text("comparison.title"))
            empty = f"<p class='table-about'>{html.escape(text('comparison.empty'))}</p>"
            return "", off(), off(), gr.update(active=False), empty, nothing, "", gr.update(visible=False), "", ""
        job = jobs.state_of(folder)  # before the file: what ends in between is read again
        known = read_comparison(folder)
        active = job.running or job.place > 0
        controls = (
            status(known, job),
            gr.update(interactive=active and not job.stopping),
            gr.update(interactive=not active and (known is None or known.state != "finished")),
            gr.update(active=active),
        )
        key = f"{folder.name} {len(known.entries)} {sum(len(e.right) for e in known.entries)} {known.state}" if known else ""
        if key and key == before:
            return *controls, *(gr.skip() for _ in outputs[4:])
        standings = rank_entries(known.entries) if known else []
        best = next((each.entry.name for each in standings if each.entry.kind == "method"), "")
        drawn = figure(known, standings) if known else figures_value(label=text("comparison.title"))
        sentence = f"<p class='comparison-advice'>{html.escape(advice(known, standings))}</p>" if known and standings else ""
        found = table(known, standings) if known else ""
        return *controls, sentence, drawn, found, gr.update(visible=bool(best)), f"{dataset} {best}" if best else "", key

    def off() -> Any:
        return gr.update(interactive=False)

    def fit_methods(dataset: str, before: list[str]) -> Any:
        """Methods that somebody chose, here or in the link, stay; the usual ones depend on whether there are labels."""
        if not dataset:
            return gr.skip()
        choices, usual = offered(dataset)
        by_hand = sorted(before) not in (sorted(USUAL), sorted([*USUAL, *WITH_LABELS]))
        can = [name for _, name in choices]
        kept = [each for each in before if by_hand and each in can]
        return gr.update(choices=choices, value=kept or usual)

    def estimate_plan(request: gr.Request, dataset: str, names: list[str], given: float) -> str:
        if not names or dataset not in dataset_names(access.viewer(request)):
            return ""
        sentence = comparison_plan(checked_config(values_of(dataset, names, given)))
        return f"<p class='training-plan'>{html.escape(sentence)}</p>" if sentence else ""

    def values_of(dataset: str, names: list[str], given: float) -> dict[str, Any]:
        return {"dataset": dataset, "methods": names, "minutes": given}

    def start_comparison(request: gr.Request, dataset: str, names: list[str], given: float) -> tuple[Any, ...]:
        visitor = access.check("train", request)
        if not names:
            raise UserError("comparison.no_method")
        start(access, jobs, checked_config(values_of(dataset, names, given)), visitor)
        return follow(request, dataset, "")

    def pause_comparison(request: gr.Request, dataset: str, before: str) -> tuple[Any, ...]:
        access.check("train", request)
        folder = latest(dataset, access, request)
        if folder:
            jobs.pause(folder)
        return follow(request, dataset, before)

    def resume_comparison(request: gr.Request, dataset: str, before: str) -> tuple[Any, ...]:
        visitor = access.check("train", request)
        folder = latest(dataset, access, request)
        if folder:
            access.own(folder, request)
            known = read_comparison(folder)
            settings = {} if known else waiting_settings(folder) or {}
            check(access, known.config if known else checked_config(settings))
            visitors.check_waiting(access, visitor, jobs.waiting)
            jobs.enqueue(folder, settings, visitors.turn_s(access), "comparison")
        return follow(request, dataset, before)

    look.change(page.handles(fit_methods), [look, methods], methods, **QUICK)
    look.change(page.handles(follow), [look, shown], outputs, **QUICK)
    wished = any_of([methods.change, minutes.release, look.change])
    wished(page.handles(estimate_plan), [look, methods, minutes], plan, **QUICK)
    clock.tick(page.handles(follow), [look, shown], outputs, **QUICK)
    begin.click(page.handles(start_comparison), [look, methods, minutes], outputs, **PRESSED)
    stop.click(page.handles(pause_comparison), [look, shown], outputs, **PRESSED)
    resume.click(page.handles(resume_comparison), [look, shown], outputs, **PRESSED)
    longer.click(lambda plan: plan, winner, page.data, js=TO_TRAINING, **QUICK)
