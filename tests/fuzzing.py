"""How many examples a property test takes: those it names in `make test`, twenty times as many in `make fuzz`."""

import os

from hypothesis import HealthCheck, settings

FUZZING = bool(os.environ.get("PICSIFT_FUZZ"))
DEFAULT_EXAMPLES = 50


def examples(number):
    """The number of examples, for `@settings(max_examples=examples(300))`."""
    return 20 * number if FUZZING else number


def load_profile():
    """The gate takes the same examples every time and remembers none; fuzzing takes new ones from a fresh seed.

    Neither has a deadline: a busy machine is no failure.
    """
    common = {
        "max_examples": examples(DEFAULT_EXAMPLES),
        "deadline": None,
        "suppress_health_check": list(HealthCheck),
        "print_blob": True,
    }
    settings.register_profile("gate", derandomize=True, database=None, **common)
    settings.register_profile("fuzz", **common)
    settings.load_profile("fuzz" if FUZZING else "gate")
