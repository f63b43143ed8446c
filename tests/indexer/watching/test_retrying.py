"""When photos and libraries are tried again; times as given."""

from indexer.watching.retrying import Pauses, Retries


def test_three_times_with_growing_pauses_and_no_more():
    retries, now, tried = Retries((1, 10, 100)), 0.0, []
    retries.take_in(["/a"], ["/a"], now)
    while retries._due:
        now = min(retries._due.values())
        assert retries.due(now - 0.001) == []
        assert retries.due(now) == ["/a"]
        tried.append(now)
        retries.take_in(["/a"], ["/a"], now)
    assert tried == [1, 11, 111]
    retries.take_in(["/a"], ["/a"], 1e6)
    assert retries.due(1e9) == []


def test_a_run_for_another_reason_does_not_count():
    retries = Retries((10, 10, 10))
    retries.take_in(["/a"], ["/a"], 0)
    retries.take_in(["/a"], ["/a"], 5)
    assert retries.due(10) == ["/a"]


def test_what_succeeds_is_forgotten_and_starts_over():
    retries = Retries((1, 10))
    retries.take_in(["/a"], ["/a"], 0)
    retries.take_in([], [], 1)
    assert retries.due(1e9) == []
    retries.take_in(["/a"], ["/a"], 50)
    assert retries.due(51) == ["/a"]


def test_a_failure_that_will_not_pass_is_not_tried_again():
    retries = Retries((1,))
    retries.take_in(["/a"], ["/a"], 0)
    retries.take_in(["/a"], [], 1)
    assert retries.due(1e9) == []


def test_pauses_grow_to_their_bound_and_start_over():
    pauses = Pauses(first_s=2, longest_locked_s=10, longest_broken_s=100)
    assert [pauses.locked() for _ in range(4)] == [2, 4, 8, 10]
    assert [pauses.broken() for _ in range(4)] == [20, 40, 80, 100]
    pauses.over()
    assert pauses.broken() == 2


def test_a_reason_is_new_once_until_it_works_again():
    pauses = Pauses()
    assert [pauses.is_new(reason) for reason in ("full", "full", "locked", "full")] == [True, False, True, True]
    pauses.over()
    assert pauses.is_new("full")
