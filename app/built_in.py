"""What people are told of the model that comes with picsift: what it cannot do, and how to get a stronger one.

It knows names alone, and loads nothing.
"""

NAMES = frozenset({"builtin", "builtin-1"})
CANNOT = "it is small: it cannot read text, count, know people or understand 'left of'"
STRONGER = "'picsift models list' names stronger ones"
LIMITS = f"{CANNOT}; {STRONGER}"


def limits_of(model: str) -> str | None:
    """What to say beside a model's name; None of one that does not come with picsift."""
    return LIMITS if model in NAMES else None
