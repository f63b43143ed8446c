"""What a daemon's next run looks at."""

from indexer.watching.agenda import Agenda


def test_files_that_are_to_be_looked_at_again_wait_for_the_next_run_and_go_with_it(tmp_path):
    for name in ("x", "y", "z"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.png").touch()
    agenda = Agenda(0.1, 1.0)
    agenda.add([tmp_path / "x"])
    agenda.done(frozenset(), [str(tmp_path / "y/1.png"), str(tmp_path / "gone/1.png")])
    assert not agenda  # they are no reason for a run
    agenda.add([tmp_path / "z"])
    assert agenda.targets([tmp_path]) == ([tmp_path / "z"], [tmp_path / "y"])
    agenda.done(frozenset())
    agenda.add([tmp_path / "z"])
    assert agenda.targets([tmp_path]) == ([tmp_path / "z"], [])
