"""A pytest plugin for the gate: `-p tests.outcomes --outcomes FILE` writes what failed and what was skipped.

One JSON document a line. The last line holds the exit status; without it the run itself broke off.
"""

import json
from pathlib import Path


def pytest_addoption(parser):
    parser.addoption("--outcomes", metavar="FILE", help="write failures, skips and exit status to FILE")


def pytest_configure(config):
    target = config.getoption("--outcomes")
    if target and not hasattr(config, "workerinput"):  # a worker of pytest-xdist tells its controller, which writes
        config.pluginmanager.register(Outcomes(Path(target)), "outcomes-writer")


class Outcomes:
    """Writes each outcome as it comes, so that a run that dies has told what it knew."""

    def __init__(self, target):
        self.target = target
        self.target.write_text("")

    def write(self, **line):
        with self.target.open("a") as target:
            target.write(json.dumps(line) + "\n")

    def note(self, report):
        if report.failed:
            self.write(outcome="failed", test=report.nodeid, text=report.longreprtext)
        elif report.skipped and not hasattr(report, "wasxfail"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple | list) else str(report.longrepr)
            self.write(outcome="skipped", test=report.nodeid, text=reason.removeprefix("Skipped: "))

    def pytest_runtest_logreport(self, report):
        self.note(report)

    def pytest_collectreport(self, report):
        self.note(report)

    def pytest_sessionfinish(self, exitstatus):
        self.write(outcome="ended", status=int(exitstatus))
