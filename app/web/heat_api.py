"""Why a photo matched: how much of it fits the words, cell by cell, over HTTP. It decodes nothing itself.

The photo is decoded in a worker process, within the bounds of indexing; nothing is kept of it.
"""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from app.bootstrap import Services
from app.search.language.parsing import parse
from app.search.matches import LOOKS_LIKE
from app.search.query import MAX_TEXT
from app.web import pictures
from app.web.dependencies import PhotoDep, ServicesDep, Whole
from app.web.picture_turns import PictureTurns
from app.web.responses import PREFIX, refusals
from app.web.search_fields import expect_once
from indexer.catalog.records import PhotoRecord
from indexer.pictures.video_frames import MAX_FRAMES

router = APIRouter(prefix=PREFIX)
LEAST_SPAN = 0.1  # of cosines; where cells differ by less, a faint difference stays faint

Grid = list[list[float]]


class HeatFields(BaseModel):
    """Which words, and where they are looked for."""

    model_config = ConfigDict(extra="forbid")

    q: str = Field(max_length=MAX_TEXT, description="What was searched for; filters among it do not count.")
    frame: Whole = Field(default=0, ge=0, le=MAX_FRAMES, description="Of a video: the number of a frame.")


class RegionAnswer(BaseModel):
    """A part of an upright photo, in fractions of its width and height."""

    left: float
    top: float
    width: float
    height: float


class HeatAnswer(BaseModel):
    """Where in a photo the words are."""

    region: RegionAnswer = Field(description="What the model sees of the photo.")
    cosines: Grid = Field(description="Of each cell of that region and the words, row by row.")
    heat: Grid = Field(
        description="The same from 0, the least, to 1, the most of this photo; the fainter, the less the photo fits."
    )
    relevance: float | None = Field(
        description="How well all that the model sees of it fits the words, 0 to 1: below 0.5 they are not what it "
        "shows. Null where that is not known."
    )


@router.get(
    "/photos/{photo_id}/heat",
    dependencies=[Depends(expect_once)],
    responses=refusals(400, 404, 410, 415, 422, 503),
)
async def heat(
    request: Request, services: ServicesDep, found: PhotoDep, asked: Annotated[HeatFields, Query()]
) -> HeatAnswer:
    """How much each part of the photo fits the words."""
    turns: PictureTurns = request.app.state.turns
    return await turns.run(_heat, services, found, asked.q, asked.frame)


def _heat(services: Services, photo: PhotoRecord, text: str, frame: int) -> HeatAnswer:
    vector, calibration = services.search.reading(parse(text))
    embedder = services.embedders.of(services.search.live.model())
    side = embedder.image_size
    square = pictures.network_square(photo, services.library.catalog, services.decoder, embedder.prepare, side, frame)
    cells, whole = embedder.embed_cells(square)
    cosines = cells @ vector  # [h, w]
    low = cosines.min()
    shown = (cosines - low) / max(float(cosines.max() - low), LEAST_SPAN)
    relevance = None
    if calibration is not None:
        relevance = calibration.relevance(float(embedder.embed_squares([square])[0] @ vector))
        shown = shown * min(1.0, relevance / LOOKS_LIKE)
    region = RegionAnswer(left=0, top=0, width=1, height=1) if whole else _middle(photo)
    known = None if relevance is None else round(relevance, 4)
    return HeatAnswer(region=region, cosines=_rounded(cosines), heat=_rounded(shown), relevance=known)


def _middle(photo: PhotoRecord) -> RegionAnswer:
    """The square in the middle."""
    width, height = photo.width or 1, photo.height or 1
    across, down = min(1.0, height / width), min(1.0, width / height)
    left, top = round((1 - across) / 2, 6), round((1 - down) / 2, 6)
    return RegionAnswer(left=left, top=top, width=round(across, 6), height=round(down, 6))


def _rounded(grid: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> Grid:
    rows: Grid = np.round(grid.astype(np.float64), 4).tolist()
    return rows
