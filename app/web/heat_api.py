"""Why a photo matched: how much of it fits the words, cell by cell, over HTTP. It decodes nothing itself.

The photo is decoded in a worker process, within the bounds of indexing; nothing is kept of it.
"""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from app.bootstrap import Services
from app.search.language.parsing import parse
from app.search.query import MAX_TEXT
from app.web import pictures
from app.web.dependencies import PhotoDep, ServicesDep
from app.web.picture_turns import PictureTurns
from app.web.responses import refusals
from app.web.search_fields import expect_once
from indexer.catalog.records import PhotoRecord
from indexer.pictures.video_frames import MAX_FRAMES

router = APIRouter()
LEAST_SPAN = 0.1  # of cosines; where cells differ by less, a faint difference stays faint

Grid = list[list[float]]


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
    heat: Grid = Field(description="The same from 0, the least, to 1, the most of this photo.")


@router.get(
    "/photos/{photo_id}/heat",
    dependencies=[Depends(expect_once)],
    responses=refusals(400, 404, 410, 415, 422, 503),
)
async def heat(
    request: Request,
    services: ServicesDep,
    found: PhotoDep,
    q: Annotated[str, Query(max_length=MAX_TEXT, description="What was searched for; filters among it do not count.")],
    frame: Annotated[int, Query(ge=0, le=MAX_FRAMES, description="Of a video: the number of a frame.")] = 0,
) -> HeatAnswer:
    """How much each part of the photo fits the words."""
    turns: PictureTurns = request.app.state.turns
    return await turns.run(_heat, services, found, q, frame)


def _heat(services: Services, photo: PhotoRecord, text: str, frame: int) -> HeatAnswer:
    vector = services.search.vector(parse(text))
    embedder = services.embedders.of(services.search.live.model())
    side = embedder.image_size
    square = pictures.network_square(photo, services.library.catalog, services.decoder, embedder.prepare, side, frame)
    cells, whole = embedder.embed_cells(square)
    cosines = cells @ vector  # [h, w]
    low = cosines.min()
    shown = (cosines - low) / max(float(cosines.max() - low), LEAST_SPAN)
    region = RegionAnswer(left=0, top=0, width=1, height=1) if whole else _middle(photo)
    return HeatAnswer(region=region, cosines=_rounded(cosines), heat=_rounded(shown))


def _middle(photo: PhotoRecord) -> RegionAnswer:
    """The square in the middle."""
    width, height = photo.width or 1, photo.height or 1
    across, down = min(1.0, height / width), min(1.0, width / height)
    left, top = round((1 - across) / 2, 6), round((1 - down) / 2, 6)
    return RegionAnswer(left=left, top=top, width=round(across, 6), height=round(down, 6))


def _rounded(grid: "np.ndarray[tuple[int, ...], np.dtype[np.float32]]") -> Grid:
    rows: Grid = np.round(grid.astype(np.float64), 4).tolist()
    return rows
