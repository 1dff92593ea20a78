# SPDX-License-Identifier: 0BSD
"""Runs the tests: python tests [pytest's options, files].

With the pytest that this Python has; else in .venv, beside this folder, made for it once.
"""
import importlib.util
import os
import subprocess
import sys
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(os.path.dirname(HERE), ".venv")
python = sys.executable
if not importlib.util.find_spec("pytest"):
    python = os.path.join(VENV, *(["Scripts", "python.exe"] if os.name == "nt" else ["bin", "python"]))
    if not os.path.exists(python) or subprocess.call([python, "-c", "import pytest"], stderr=subprocess.DEVNULL):
        print("tests: this Python has no pytest; installing it in .venv", flush=True)
        try:
            venv.create(VENV, with_pip=True, clear=True)
            subprocess.check_call([python, "-m", "pip", "install", "--quiet", "pytest"])
        except (OSError, subprocess.CalledProcessError):
            sys.exit("tests: pytest could not be installed (no network, or on Debian no python3-venv?). "
                     "Without it, this tries the servers: python tests/check.py")
words = sys.argv[1:]
named = any(os.path.exists(word.split("::")[0]) for word in words)  # files or folders; else all
sys.exit(subprocess.call([python, "-m", "pytest", "-rs"] + ([] if named else [HERE]) + words))
