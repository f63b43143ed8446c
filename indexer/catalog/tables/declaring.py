"""Tables written as typed classes, as SQLAlchemy's ORM has them, made of its Core alone.

The stores use connections and statements, never sessions and objects: all that is wanted of the ORM is that a class
names a table's columns with their types. Importing it takes longer than a search, so that mypy sees the ORM's classes,
and at run time these stand for them. What a table's class knows is what the tables here use of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sqlalchemy import Boolean, Column, Double, MetaData, Table

if TYPE_CHECKING:
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
else:
    _OF_ANNOTATION = {"float": Double, "bool": Boolean}  # the type of a column that is given none

    class Mapped:
        """Says in an annotation what a column holds: `Mapped[int | None]`."""

    class mapped_column:  # noqa: N801  the ORM's name
        """What a column is made of besides its name and whether it may be NULL."""

        def __init__(self, *given: Any, **how: Any) -> None:
            self.given, self.how = given, how

    class _Declared(type):
        """Lets a class stand for its table in a statement."""

        def __clause_element__(cls) -> Table:
            return cls.__table__

    class DeclarativeBase(metaclass=_Declared):
        """The base of all tables of one database, which it gives their `metadata`."""

        metadata: ClassVar[MetaData]

        def __init_subclass__(cls) -> None:
            """Make the table, and a column of each annotation."""
            if "__tablename__" not in cls.__dict__:
                return
            arguments = cls.__dict__.get("__table_args__", ())
            options = arguments[-1] if arguments and isinstance(arguments[-1], dict) else {}
            constraints = [argument for argument in arguments if argument is not options]
            columns = [_column(cls, name, held) for name, held in cls.__annotations__.items()]
            cls.__table__ = Table(cls.__tablename__, cls.metadata, *columns, *constraints, **options)
            for column in columns:
                setattr(cls, column.key, column)

    def _column(cls: type, name: str, annotation: str) -> Column[Any]:
        """A column by its annotation, as text such as "Mapped[int | None]", and by what it was assigned."""
        held = annotation.removeprefix("Mapped[").removesuffix("]")
        made = cls.__dict__.get(name, mapped_column())
        given, key = made.given, made.how.get("primary_key", False)
        if not given:
            given = (_OF_ANNOTATION[held.removesuffix(" | None")], *given)
        return Column(name, *given, nullable=held.endswith(" | None") and not key, **made.how)


__all__ = ["DeclarativeBase", "Mapped", "mapped_column"]
