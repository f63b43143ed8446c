"""How much work a call is, counted and not timed: a busy machine counts the same."""

import sys


def calls_of(function, *arguments):
    """The number of calls, of Python's functions and of C's, that a call leads to in this thread."""
    counted = 0

    def count(_frame, event, _argument):
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return counted
