"""Tables declared as classes become what the ORM would have made of them."""

from __future__ import annotations

from sqlalchemy import Double, Integer, MetaData, String, UniqueConstraint, insert, orm, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Mapped
from sqlalchemy.schema import CreateTable

from indexer.catalog.tables import declaring


def declared(DeclarativeBase, mapped_column):
    class Base(DeclarativeBase):
        metadata = MetaData()

    class Thing(Base):
        __tablename__ = "things"
        __table_args__ = (UniqueConstraint("name", "size"), {"sqlite_autoincrement": True})

        id: Mapped[int] = mapped_column(Integer, primary_key=True)
        name: Mapped[str] = mapped_column(String, index=True)
        size: Mapped[float | None]
        real: Mapped[bool] = mapped_column(default=False)

    return Thing


def sql(statement):
    return str(statement.compile(dialect=sqlite.dialect()))


def test_the_table_is_the_orms():
    ours = declared(declaring.DeclarativeBase, declaring.mapped_column)
    theirs = declared(orm.DeclarativeBase, orm.mapped_column)
    assert sql(CreateTable(ours.__table__)) == sql(CreateTable(theirs.__table__))
    assert [index.name for index in ours.__table__.indexes] == [index.name for index in theirs.__table__.indexes]
    assert isinstance(ours.size.type, Double)
    for make in (
        lambda thing: select(thing).where(thing.size > 1),
        lambda thing: select(thing.id, thing.name).order_by(thing.size.desc()),
        lambda thing: insert(thing).values(name="a"),
    ):
        assert sql(make(ours)) == sql(make(theirs))
