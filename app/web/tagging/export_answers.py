"""What the HTTP API takes and says of exports. It writes nothing."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, model_validator

from app.tag_path import path_text
from app.tagging.export.file_plan import PlannedFile
from app.tagging.export.plan_token import Outcome
from app.tagging.export.sidecar_plan import Completed, Naming, Planned, Refused
from app.tagging.export.way_back import ExportReport
from app.tagging.export_ways import Way, WayName
from app.web.answers import PathText
from app.web.door.short_bodies import Sent
from app.web.tagging.jobs import Job, JobAnswer
from indexer.catalog.journal.records import Export

WAYS: dict[str, Literal["beside", "into"]] = {"sidecars": "beside", "files": "into"}
SHOWN = 1000  # files left alone that an answer names

Token = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


class FileAnswer(BaseModel):
    """What an export would make of the sidecar of one photo, or of its own file."""

    photo: int = Field(description="The photo's id.")
    path: PathText
    file: PathText
    outcome: Literal["new", "change", "leave", "as it should be"]
    added: list[str] = Field(description="Tags that it does not hold yet.")
    removed: list[str] = Field(description="Tags that an export wrote, and that the photo has no more.")
    words: list[str] = Field(description="Of rating, title and description what was given and it does not say yet.")
    completed: list[Completed] = Field(
        description="Which part of it gets words that another part, or the library, has already. Where there is no "
        "other reason for a change, it is this one."
    )
    shortened: list[str] = Field(description="Of what goes into a file the texts that IPTC has no room for.")
    reason: str | None = Field(description="Why it is left as it is.")

    @classmethod
    def of(cls, one: Outcome) -> "FileAnswer":
        """The answer for one photo."""
        planned = one if isinstance(one, Planned | PlannedFile) else None
        refused = one.reason if isinstance(one, Refused) else None
        outcome: Literal["leave", "as it should be"] = "as it should be" if refused is None else "leave"
        return cls(
            photo=one.photo.id,
            path=str(one.photo.path),
            file=str(one.path),
            outcome=outcome if planned is None else "new" if planned.new else "change",
            added=[path_text(tag) for tag in planned.added] if planned else [],
            removed=[path_text(tag) for tag in planned.removed] if planned else [],
            words=list(planned.words) if planned else [],
            completed=list(planned.completed) if planned else [],
            shortened=list(one.change.shortened) if isinstance(one, PlannedFile) else [],
            reason=refused,
        )


class PreviewAnswer(BaseModel):
    """A part of what an export would do now, in the order in which it would."""

    photos: int = Field(description="Photos that have something to say, on all pages.")
    naming: Naming = Field(description="What new sidecars would be called.")
    following: int | None = Field(description="The next page; null where this is the last one.")
    token: Token = Field(
        description="Of all pages up to this one, which the next one wants. The last one's binds an export to what "
        "was shown."
    )
    files: list[FileAnswer]


class LeftAlone(BaseModel):
    """A file that was left as it is, and why."""

    file: PathText
    reason: str


class Shortened(BaseModel):
    """A photo, and texts that IPTC has no room for; XMP in it has them whole."""

    file: PathText
    texts: list[str]


class ReportAnswer(BaseModel):
    """What an export did, or its undoing."""

    export: int | None = Field(description="Its id; null where there was nothing to write.")
    written: int = Field(description="Files written, or put back.")
    unchanged: int = Field(description="Files that held everything already.")
    refused: int = Field(description="Files that were left as they are.")
    left_alone: list[LeftAlone] = Field(description=f"The first {SHOWN:,} of these.")
    shortened: list[Shortened] = Field(description=f"Of what went into files, the first {SHOWN:,}.")
    changed: bool = Field(
        description="Whether what was to be written was no longer what the token stands for: nothing more was written."
    )

    @classmethod
    def of(cls, report: ExportReport) -> "ReportAnswer":
        """The answer for one export."""
        shown = [LeftAlone(file=str(path), reason=reason) for path, reason in report.refused[:SHOWN]]
        counts: dict[str, Any] = {
            "written": report.written,
            "unchanged": report.unchanged,
            "refused": len(report.refused),
        }
        shortened = [Shortened(file=str(path), texts=list(texts)) for path, texts in report.shortened[:SHOWN]]
        told: dict[str, Any] = {"left_alone": shown, "shortened": shortened, "changed": report.changed}
        return cls(export=report.export, **told, **counts)


class ExportRunAnswer(JobAnswer):
    """How far the last export, or undoing, is."""

    doing: Literal["export", "undo"] | None = Field(description="Null where none was started since the server was.")
    way: Literal["beside", "into"] | None = Field(description="Whose files are written: sidecars, or photos.")
    report: ReportAnswer | None = Field(description="Null while it runs. Where it failed, what was done by then.")

    @classmethod
    def of(cls, job: Job) -> "ExportRunAnswer":
        """The answer for the last one."""
        report: ExportReport | None = job.result
        told = (
            {"doing": None, "way": None}
            if report is None
            else {
                "doing": "undo" if report.undoing else "export",
                "way": WAYS[report.kind],
            }
        )
        ended = report is not None and job.ended_at is not None
        return cls(report=ReportAnswer.of(report) if report and ended else None, **told, **JobAnswer.fields(job))


class ExportRequest(Sent):
    """How to export; where to is nothing that a client says."""

    naming: Naming = Field(default=Naming.auto, description="What new sidecars are called.")
    into_files: bool = Field(
        default=False, description="Write into the photos themselves, with ExifTool: only with the token of a preview."
    )
    token: Token | None = Field(
        default=None,
        description="As the last page of a preview gave it: nothing else is written than that showed. Null: what "
        "there is to write then.",
    )

    @model_validator(mode="after")
    def _was_shown(self) -> Self:
        if self.into_files and (self.token is None or self.naming is not Naming.auto):
            raise ValueError("into_files wants the token of a preview, and no naming")
        return self


class WayAnswer(BaseModel):
    """A way of export."""

    way: WayName = Field(description="beside: XMP files; into: the photos themselves; table: see /exports/table.")
    works: bool = Field(description="Whether this server can; into photos it was tried, on a picture of its own.")
    reason: str | None = Field(description="Why it cannot.")

    @classmethod
    def of(cls, way: Way) -> "WayAnswer":
        """The answer for one way."""
        return cls(way=way.name, works=way.trouble is None, reason=way.trouble)


class ExportAnswer(BaseModel):
    """One export of the journal."""

    id: int
    kind: str = Field(description="sidecars, or files, where photos themselves were written into.")
    files: int = Field(description="That it had written, be they put back or not.")
    put_back: int = Field(description="Of these, those that are as they were before again.")
    kept_bytes: int = Field(description="What the way back takes in the library.")
    started_at: datetime
    finished_at: datetime | None = Field(description="Null while it runs, and after a kill.")
    undone_at: datetime | None
    forgotten: bool = Field(description="Whether its way back was given up, so that it cannot be undone.")
    undoable: bool = Field(description="Whether there is something to put back, and the way back is kept.")

    @classmethod
    def of(cls, export: Export) -> "ExportAnswer":
        """The answer for one export."""
        return cls(**{name: getattr(export, name) for name in cls.model_fields})
