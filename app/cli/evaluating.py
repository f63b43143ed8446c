"""`picsift evaluate`: a model measured on a data set of labelled or captioned pictures, without any library.

Pictures are decoded as those of a library are, with the same bounds. What the figures mean: docs/evaluation.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.terminal import exits, output
from app.cli.terminal.logs import begin
from app.cli.terminal.options import JsonOption, VerboseOption
from indexer.counted import counted
from indexer.errors import PicsiftError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from app.settings import Settings
    from indexer.embedder import Embedder
    from indexer.workers.isolation import WorkerPool

WHAT = {
    "zero_shot": "zero-shot",
    "text_to_image": "text to picture",
    "image_to_text": "picture to text",
    "linear_probe": "linear probe",
    "retrieval": "recall",
}
FIGURES = {"singles": "of labels with one picture"}


class EvaluationError(PicsiftError):
    """A data set cannot be measured on."""


@exits.reported
def evaluate_command(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA",
            help="A folder of class folders, shards (.tar, 'x-{000..012}.tar'), .parquet, .csv, .tsv.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME|PATH", help="The model to measure; else the one that is set.")
    ] = None,
    templates: Annotated[
        Path | None,
        typer.Option("--templates", metavar="FILE", help="Prompts, one a line, {} for the name.", show_default=False),
    ] = None,
    class_names: Annotated[
        Path | None,
        typer.Option(
            "--class-names",
            metavar="FILE",
            help="All classes: 'label<TAB>name' a line; or names alone, for labels from 0 on.",
            show_default=False,
        ),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(
            "--train", metavar="DATA", help="Fit the linear probe on this; else on half of DATA.", show_default=False
        ),
    ] = None,
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help="Fit a linear probe.")] = True,
    limit: Annotated[
        int | None,
        typer.Option("--limit", "-n", min=1, help="At most so many pictures of each source.", show_default=False),
    ] = None,
    json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Measure a model: zero-shot accuracy, recall of captions and pictures, a linear probe."""
    from app.cli.terminal.progress import counting
    from app.search.embedders import DEFAULT_MODEL
    from indexer.embedder import Embedder
    from indexer.pictures.formats import SUFFIXES
    from indexer.workers.isolation import WorkerPool

    settings = begin(verbose, model=model)
    embedder = Embedder(
        settings.model or DEFAULT_MODEL,
        device=settings.device,
        precision=settings.precision,
        converted=settings.converted_models,
    )
    pool = WorkerPool(timeout_s=settings.decode_timeout_s, memory_mb=settings.decode_memory_mb)
    with counting("Evaluating", quiet=json) as show, pool:
        try:
            measured = embedder.evaluate(
                data,
                decode=_decoder(embedder, settings, pool),
                suffixes=SUFFIXES,
                train=train or [],
                templates=templates,
                class_names=class_names,
                limit=limit,
                probe=probe,
                on_progress=show,
            )
        except (ValueError, ImportError) as error:
            raise EvaluationError(f"{str(error).rstrip('.')}.") from error
    model_facts = {"name": embedder.name, "fingerprint": embedder.fingerprint, "device": embedder.device}
    document = {"data": data, "model": {**model_facts, "precision": embedder.precision}, **measured}
    if json:
        output.write_json(document)
    else:
        _show(document)


def _decoder(embedder: Embedder, settings: Settings, pool: WorkerPool) -> Callable[[Any], NDArray[np.uint8]]:
    """What turns an example into a square: as a photo is indexed, with the reason as a ValueError."""
    from indexer.errors import ImageError
    from indexer.pictures import rendering

    def decode(example: Any) -> NDArray[np.uint8]:
        how = (embedder.prepare, embedder.image_size, settings.max_pixels, example.suffix)
        try:
            return pool.run(rendering.square, example.picture, *how)
        except ImageError as error:
            raise ValueError(str(error)) from error

    return decode


def _show(document: dict[str, Any]) -> None:
    model = document["model"]
    output.tell(f"{model['name']} on {model['device']} in {model['precision']}")
    for source in document["sources"]:
        for line in _lines(source, document["templates"]):
            output.tell(line)
    unreadable = document["unreadable"]
    if unreadable:
        output.say(f"{len(unreadable):,} could not be read and took no part:")
    for one in unreadable[: output.SHOWN_FAILURES]:
        output.say(f"  {one['name']}: {one['reason']}")
    if len(unreadable) > output.SHOWN_FAILURES:
        output.say(f"  and {len(unreadable) - output.SHOWN_FAILURES:,} more; --json lists all")


def _lines(source: dict[str, Any], templates: int) -> Iterator[str]:
    """The figures of one source, a line each, then what is left out and why."""
    counts = [counted(source["photos"], "picture")]
    if source["labelled"]:
        labels = f"one of {source['classes']:,} labels" if source["classes"] > 1 else "one label"
        counts.append(f"{source['labelled']:,} with {labels}")
    if source["captioned"]:
        counts.append(f"{source['captioned']:,} with {counted(source['captions'], 'caption')}")
    yield ""
    yield f"{source['source'] or 'all'}: {', '.join(counts)}"
    if source["zero_shot"]:
        yield _row("zero_shot", _shares(source["zero_shot"]), counted(templates, "template"))
    for way in ("text_to_image", "image_to_text"):
        if source[way]:
            yield _row(way, _shares(source[way]))
    if probe := source["linear_probe"]:
        how = f"fitted on {probe['fitted_on']:,}, measured on {probe['measured_on']:,}, penalty {probe['penalty']:.1e}"
        yield _row("linear_probe", _shares({"top1": probe["accuracy"]}), how)
    for name, reason in source["left_out"].items():
        what, _, figure = name.partition(".")
        yield f"  no {WHAT[what]}{f' {FIGURES.get(figure, figure)}' if figure else ''}: {reason}"


def _row(name: str, shares: str, how: str = "") -> str:
    return f"  {WHAT[name]:<16} {shares:<48} {how}".rstrip()


def _shares(shares: dict[str, float]) -> str:
    return "  ".join(f"{name} {100 * value:5.1f} %" for name, value in shares.items())
