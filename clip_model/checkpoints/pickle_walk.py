"""Looks through a pickle before anything is built of it: what it names, calls and uses as keys, and how it nests.

Unpickling may fill the memory or never end without running foreign code: by bytearray(10**10), or by the hash of a
tuple that holds another twice, thirty levels deep. Here only the sizes of tuples are followed.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable

ORDERED_DICT = "collections.OrderedDict"
_LARGEST_TUPLE = 1000  # values, counted each time that they stand in it
_LARGEST_NUMBER = 2**128
_MOST_STEPS = 2_000_000  # OpenAI's largest archive has some tens of thousands
_EMPTY = 1
_VALUES = (
    *("NONE", "NEWFALSE", "NEWTRUE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
    *("BINUNICODE", "SHORT_BINUNICODE", "EMPTY_LIST", "EMPTY_DICT"),
)
_COUNTED = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}

_Value = int | str
"""What is known of a value: a tuple's size, the name of something named, 0 for all else."""


def check_pickle(stream: io.BytesIO, admits: Callable[[str], bool], calls: Callable[[str], bool]) -> None:
    """See that a pickle can be read; the stream stands behind it then.

    Args:
        stream: of the pickle, and of what follows it.
        admits: whether something may be named, as "module.name".
        calls: whether that may be called.

    Raises:
        UnpicklingError: if it does what no pickle of tensors does.
        ValueError: if it is no pickle.
    """
    walk, length = _Walk(admits, calls), len(stream.getbuffer())
    for steps, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
        if steps > _MOST_STEPS:
            raise pickle.UnpicklingError("its pickle has more steps than any model's")
        if "PUT" in opcode.name and isinstance(argument, int) and argument > length:
            raise pickle.UnpicklingError("its pickle numbers its values beyond its own length")
        if isinstance(argument, int) and abs(argument) > _LARGEST_NUMBER:
            raise pickle.UnpicklingError("its pickle holds a number larger than any model's")
        try:
            walk.step(opcode.name, argument)
        except (IndexError, KeyError) as error:
            raise ValueError("its pickle takes values that are not there") from error


class _Walk:
    def __init__(self, admits: Callable[[str], bool], calls: Callable[[str], bool]) -> None:
        self._admits, self._calls = admits, calls
        self._stack: list[_Value] = []
        self._below: list[list[_Value]] = []
        self._kept: dict[object, _Value] = {}

    def step(self, name: str, argument: object) -> None:
        stack = self._stack
        if name in _VALUES:
            stack.append(0)
        elif name in _COUNTED:
            self._tuple([stack.pop() for _ in range(_COUNTED[name])])
        elif name == "GLOBAL":
            self._name(str(argument).replace(" ", "."))
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._kept[len(self._kept) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(self._kept[argument])
        elif name == "MARK":
            self._below.append(stack)
            self._stack = []
        elif name in ("TUPLE", "APPENDS", "SETITEMS"):
            self._stack = self._below.pop()
            if name == "TUPLE":
                self._tuple(stack)
            elif name == "SETITEMS":
                self._keys(stack[::2])
        elif name in ("REDUCE", "NEWOBJ"):
            given, called = stack.pop(), stack.pop()
            self._call(called, given)
        elif name == "SETITEM":
            stack.pop()
            self._keys([stack.pop()])
        elif name in ("APPEND", "BUILD", "STOP"):
            stack.pop()
        elif name == "BINPERSID":
            stack[-1] = 0
        elif name == "STACK_GLOBAL":
            raise pickle.UnpicklingError(
                "its pickle names something in a way of its own, and reading that could run code"
            )
        elif name not in ("PROTO", "FRAME"):
            raise pickle.UnpicklingError(f"its pickle uses {name}, which torch does not write")

    def _tuple(self, values: list[_Value]) -> None:
        size = _EMPTY + sum(max(1, value) if isinstance(value, int) else 1 for value in values)
        if size > _LARGEST_TUPLE:
            raise pickle.UnpicklingError("its pickle nests tuples beyond any model's")
        self._stack.append(size)

    def _name(self, named: str) -> None:
        if not self._admits(named):
            raise pickle.UnpicklingError(f"its pickle names {named:.80}, and reading that could run code")
        self._stack.append(named)

    def _keys(self, keys: list[_Value]) -> None:
        if any(key != 0 for key in keys):
            raise pickle.UnpicklingError("its pickle has keys that are no plain values")

    def _call(self, called: _Value, given: _Value) -> None:
        if not isinstance(called, str) or not self._calls(called) or (called == ORDERED_DICT and given != _EMPTY):
            raise pickle.UnpicklingError("its pickle calls what no model does")
        self._stack.append(0)
