"""Gradio's import: quick, and without a trace in its own folder."""

import subprocess
import sys

CODE = """
import inspect, sys
before = inspect.getfile
opened = []
sys.addaudithook(lambda name, args: opened.append(str(args[0])) if name == "open" else None)
from app.web.page.quiet_gradio import gradio
print([name for name in opened if name.endswith(".pyi")], inspect.getfile is before, gradio.Blocks.__name__)
"""


def test_no_stub_is_read_or_written():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[] True Blocks"
