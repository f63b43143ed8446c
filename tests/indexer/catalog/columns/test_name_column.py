"""Names in one text are found as they are one by one."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexer.catalog.columns import name_column
from indexer.catalog.columns.name_column import NameColumn
from indexer.catalog.filters.names import matches
from tests.fuzzing import examples

letters = st.text(alphabet="aAbéE\u0301ßs_.*?[\udce9İ", max_size=6)


@settings(max_examples=examples(300))
@given(st.lists(letters, max_size=12), letters, st.sampled_from([1, 3, 100]), st.sampled_from([1, 1000]))
@example(["ab", "b", ""], "b", 1, 1)
@example(["a", "b"], "a\0b", 100, 1)
@example([], "a", 3, 1)
@example(["\0"], "x", 3, 1)
def test_each_name_is_meant_or_not_as_if_it_were_alone(names, wanted, chunk, sparse):
    names = [name.replace("\0", "") for name in names]
    before = name_column._CHUNK, name_column._SPARSE
    name_column._CHUNK, name_column._SPARSE = chunk, sparse
    try:
        column = NameColumn(names)
        expected = [matches(name, wanted) for name in names]
        assert column.matching(wanted).tolist() == expected
        assert column.matching(wanted).tolist() == expected
    finally:
        name_column._CHUNK, name_column._SPARSE = before


def test_the_last_answers_alone_are_kept():
    column = NameColumn(["a.jpg", "b.jpg"])
    for number in range(50):
        column.matching(f"{number}*")
    assert len(column._answers) == name_column._REMEMBERED
