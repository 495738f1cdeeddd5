"""Chromium for the browser's tests: found, or installed where that is possible, or else left out in one line.

`python -m dev.chromium` prints the option with which pytest leaves those tests out, or nothing.
"""

import os
import shutil
import subprocess
import sys

TESTS = "tests/browser"
NAMES = ("chromium", "chromium-browser", "google-chrome")
INSTALL = (
    ("apt-get", "update", "-qq"),
    ("apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"),
)


def found() -> str:
    """Return the browser's path, or nothing. CHROMIUM names another one."""
    named = os.environ.get("CHROMIUM")
    return next(filter(None, map(shutil.which, [named] if named else NAMES)), "")


def install() -> str:
    """Install Chromium where apt-get is and this is root. Returns its path, or nothing."""
    if os.geteuid() == 0 and not os.environ.get("CHROMIUM") and shutil.which("apt-get"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        print("Installing Chromium for the browser's tests", file=sys.stderr)
        for command in INSTALL:
            subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return found()


def main() -> int:
    """Print what pytest is to leave out, and return the exit status: CI leaves nothing out."""
    if found() or install():
        return 0
    if os.environ.get("CI"):
        print("Chromium is missing, and CI leaves no test out: apt-get install chromium", file=sys.stderr)
        return 1
    print(f"{TESTS} is left out: there is no Chromium (Debian, as root: apt-get install chromium).", file=sys.stderr)
    print(f"--ignore={TESTS}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
