"""A search's command line as it was meant: no value goes unheard, and a minus is told for what it is."""

from typing import Any

from typer.core import TyperCommand

from app.printable import printable
from app.search.language.filter_words import NAMES

ONCE = frozenset((*NAMES, "image", "region"))
"""Options of which a second value may not go unheard: they say what is looked for, and among which photos.

Of the others the last one counts, as with most programs: an alias may hold `--limit 50`.
"""

PATHS = frozenset(("FILE", "FOLDER", "DIR", "PHOTO"))
"""What the values are called that name files and folders."""


class Heard(TyperCommand):
    """A command that does not let the last of several values count alone, where its options are of ONCE.

    Where what is asked for is no usage, and a word with a minus is read as options, it says that. An empty path, as of
    a variable of the shell that is not set, is refused: it would be the folder that one is in.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As ever; ends with an error of usage where an option that takes one value is given several."""
        options = args[: args.index("--")] if "--" in args else args[:]
        try:
            return self._parsed(ctx, args)
        except Exception as error:
            words = [word for word in self._apart(options) if self._for_query(ctx, word)]
            message = getattr(error, "message", None)
            if words and isinstance(message, str) and any(one.name == "query" for one in self.params):
                read = f"{printable(words[0])!r:.80} is read as options: write -- before the query, behind all options"
                error.message = f"{message.rstrip('.')}. {read}"  # type: ignore[attr-defined]
            raise

    def _apart(self, words: list[str]) -> list[str]:
        """The words of a command line without the values of options."""
        valued = {name for one in self.params if not getattr(one, "is_flag", False) for name in one.opts}
        return [word for before, word in zip(["", *words], words, strict=False) if before not in valued]

    def _for_query(self, ctx: Any, word: str) -> bool:
        """Whether a word with one minus was more likely meant for the query: `-people`, `-n5` is an option."""
        if len(word) < 2 or word[0] != "-" or word[1] == "-":
            return False
        short = {name for one in self.get_params(ctx) for name in one.opts}
        return word[:2] not in short or (len(word) > 2 and word[1:3].isalpha())

    def _parsed(self, ctx: Any, args: list[str]) -> list[str]:
        values, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in dict.fromkeys(given):
            if option.name in ONCE and not getattr(option, "multiple", True) and given.count(option) > 1:
                ctx.fail(
                    f"{option.opts[0]} is given {given.count(option)} times, and takes one value. Leave one of them."
                )
        for one in self.params:
            value = values.get(str(one.name))
            if one.metavar in PATHS and "" in (value if isinstance(value, list | tuple) else [value]):
                ctx.fail(f"{one.opts[0] if one.opts[0].startswith('-') else one.metavar} is empty: it names nothing.")
        return super().parse_args(ctx, args)
