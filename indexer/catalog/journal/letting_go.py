"""What the journal of exports lets go, so that it does not grow with what nobody can want back.

Bytes and entries go from which no undo makes anything: of files that were put back, or were never written. Where people
give a way back up, one entry for each file stays, with the tags in it that are ours to take out. Nothing else goes by
itself. Each transaction takes a part of a long journal, so that others can write in between; after a kill it tells as
much as before, and `tidy` goes on from there. The caller holds the writer lock: nothing is exported meanwhile.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from json import dumps
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, literal, or_, select, tuple_, update

from indexer.catalog.database import in_chunks, reading, writing
from indexer.catalog.journal import export_store
from indexer.catalog.journal.records import GIVEN_UP, UNCLEAR, Past, net, said_in
from indexer.catalog.stores import setting_store
from indexer.catalog.tables.photo_tables import PhotoRow
from indexer.catalog.tables.tag_tables import ExportRow, ExportStepRow

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

BEGUN = "letting go"  # a setting of the library: "1" while exports are forgotten, and after a kill in the midst of it
AT_A_TIME = 2000  # entries, or photos with all of theirs, in one transaction


def tidy(engine: Engine) -> None:
    """Let go of what no undo needs: entries of files that are put back, or are known not to be written."""
    with reading(engine) as connection:
        begun = setting_store.setting(connection, BEGUN)
    if begun:
        _let_go(engine)
    else:
        _drop(engine)
        export_store.keep_held(engine)


def forget(engine: Engine, export_ids: Sequence[int]) -> None:
    """Let go of the way back from exports; which tags they wrote stays, once for each file that has some.

    They are marked first, all at once: from then on none of them can be undone, and whatever follows can be repeated.
    """
    with writing(engine) as connection:
        for chunk in in_chunks(export_ids):
            plans = select(ExportRow.id, ExportRow.plan).where(ExportRow.id.in_(chunk))
            for export_id, plan in connection.execute(plans).all():
                _put(connection, export_id, replace(Past.of(plan), forgotten=True))
        setting_store.set_setting(connection, BEGUN, "1")
    _let_go(engine)


def _let_go(engine: Engine) -> None:
    """Bring to its end what `forget` began."""
    with reading(engine) as connection:
        plans = connection.execute(select(ExportRow.id, ExportRow.plan)).all()
    for export_id in (number for number, plan in plans if Past.of(plan).forgotten):
        _give_up(engine, export_id)
    _drop(engine)
    _fold(engine)
    with writing(engine) as connection:
        export_store.forget_held(connection)
        setting_store.set_setting(connection, BEGUN, "")
    export_store.keep_held(engine)


def _give_up(engine: Engine, export_id: int) -> None:
    """Let go of the old bytes of an export, and of what they are told by.

    No bytes alone would say that a file was new: an undo, one of an older picsift too, would delete it.
    """
    mine, numbers = ExportStepRow.export_id == export_id, [0]
    kept = select(ExportStepRow.number).where(mine, ExportStepRow.sha256_after.is_distinct_from(GIVEN_UP))
    kept = kept.order_by(ExportStepRow.number).limit(AT_A_TIME)
    while True:
        with reading(engine) as connection:
            numbers = list(connection.execute(kept.where(ExportStepRow.number > numbers[-1])).scalars())
        if not numbers:
            return
        these = update(ExportStepRow).where(mine, ExportStepRow.number.between(numbers[0], numbers[-1]))
        with writing(engine) as connection:
            connection.execute(these.values(before=None, sha256_after=GIVEN_UP))


def _drop(engine: Engine) -> None:
    """Let go of entries of files that are put back, or are known not to be written."""
    unwritten = and_(ExportStepRow.state == "failed", ExportStepRow.reason != UNCLEAR)
    place = (ExportStepRow.export_id, ExportStepRow.number)
    unneeded = select(*place, ExportStepRow.state).where(or_(unwritten, ExportStepRow.state == "undone"))
    unneeded, last = unneeded.order_by(*place).limit(AT_A_TIME), (0, 0)
    while True:
        with reading(engine) as connection:
            rows = connection.execute(unneeded.where(tuple_(*place) > tuple_(*map(literal, last)))).all()
        if not rows:
            return
        with writing(engine) as connection:
            _remove(connection, rows)
        last = rows[-1].export_id, rows[-1].number


def _fold(engine: Engine) -> None:
    """Make the entries of each file without a way back one; drop those that name no tag, or of photos that are gone."""
    one = update(ExportStepRow).where(
        ExportStepRow.export_id == bindparam("of"), ExportStepRow.number == bindparam("at")
    )
    one = one.values(written=bindparam("words"))
    for rows in _given_up(engine):
        dropped, kept = list[Any](), list[dict[str, Any]]()
        for _, same in groupby(rows, key=lambda row: row.photo_id):
            _fold_photo(list(same), dropped, kept)
        if dropped:
            with writing(engine) as connection:
                if kept:
                    connection.execute(one, kept)
                _remove(connection, dropped)


def _fold_photo(rows: Sequence[Any], dropped: list[Any], kept: list[dict[str, Any]]) -> None:
    """Add a photo's entries that go to `dropped`, and what is to stand in others to `kept`."""
    files: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        if row.state != "done" or row.present is None:
            dropped.append(row)
            continue
        said = said_in(row.written)  # a sidecar is known by its path, a photo by its content
        files.setdefault((said["content"], "" if said["content"] else row.path), []).append((row, said))
    for entries in files.values():
        tags, (last, said) = sorted(net([said for _, said in entries])), entries[-1]
        out = {tuple(tag) for _, one in entries for tag in one["removed"]}.difference(tags)
        taken = sorted(out) if len(files) > 1 else []  # a sidecar that was moved may have had them elsewhere
        dropped += [row for row, _ in (entries[:-1] if tags or taken else entries)]
        if (tags or taken) and len(entries) > 1:
            words = dumps({"added": tags, "removed": taken, "content": said["content"]})
            kept.append({"of": last.export_id, "at": last.number, "words": words})


def _given_up(engine: Engine) -> Iterator[Sequence[Any]]:
    """The entries without a way back, of some photos at a time, in their order; `present` is None where one is gone."""
    columns = (ExportStepRow.export_id, ExportStepRow.number, ExportStepRow.photo_id, ExportStepRow.path)
    query = select(*columns, ExportStepRow.state, ExportStepRow.written, PhotoRow.id.label("present"))
    query = query.outerjoin(PhotoRow, PhotoRow.id == ExportStepRow.photo_id)
    query = query.where(ExportStepRow.sha256_after == GIVEN_UP)
    query = query.order_by(ExportStepRow.photo_id, ExportStepRow.export_id, ExportStepRow.number)
    some = select(ExportStepRow.photo_id).distinct().order_by(ExportStepRow.photo_id).limit(AT_A_TIME)
    photos = [-1]
    while True:
        with reading(engine) as connection:
            photos = list(connection.execute(some.where(ExportStepRow.photo_id > photos[-1])).scalars())
            if not photos:
                return
            rows = connection.execute(query.where(ExportStepRow.photo_id.between(photos[0], photos[-1]))).all()
        yield rows


def _remove(connection: Connection, rows: Sequence[Any]) -> None:
    """Delete entries, and count what they tell of."""
    export_store.forget_held(connection)
    gone, states = defaultdict[int, list[int]](list), Counter[tuple[int, str]]()
    for row in rows:
        gone[row.export_id].append(row.number)
        states[row.export_id, row.state] += 1
    for export_id, numbers in gone.items():
        of_it = delete(ExportStepRow).where(ExportStepRow.export_id == export_id)
        for chunk in in_chunks(numbers):
            connection.execute(of_it.where(ExportStepRow.number.in_(chunk)))
        back = states[export_id, "undone"]
        plan = connection.execute(select(ExportRow.plan).where(ExportRow.id == export_id)).scalar_one()
        _put(connection, export_id, Past.of(plan).more(states[export_id, "done"] + back, back))


def _put(connection: Connection, export_id: int, past: Past) -> None:
    connection.execute(update(ExportRow).where(ExportRow.id == export_id).values(plan=past.text()))
