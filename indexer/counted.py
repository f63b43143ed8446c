"""Numbers with their nouns, for messages: '1 photo', '1,200 photos'. Pure."""


def counted(count: int, one: str, many: str = "") -> str:
    """A number and what is counted, in the singular or the plural.

    Args:
        count: how many there are.
        one: the singular, with a verb behind it where that changes too.
        many: the plural; "": the singular with an s.
    """
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
