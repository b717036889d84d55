"""Processes that begin at the same time, and what each of them says."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 90  # a busy machine starts a process slowly


def start(environment: Mapping[str, str], *arguments: str) -> "subprocess.Popen[str]":
    """A contender that is ready and waits for its line."""
    return subprocess.Popen(  # noqa: S603  our own program
        [sys.executable, "-m", "tests.storage.contender", *arguments],
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def release(process: "subprocess.Popen[str]") -> None:
    """Let a contender begin."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def await_ready(process: "subprocess.Popen[str]") -> None:
    """Wait until a contender has started."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def race(number: int, environment: Mapping[str, str], *arguments: str) -> list[list[str]]:
    """What each of so many contenders said, all of which began together and ended well."""
    running = [start(environment, *arguments) for _ in range(number)]
    try:
        for process in running:
            await_ready(process)
        for process in running:
            release(process)
        said = [process.communicate(timeout=SECONDS)[0] for process in running]
        assert [process.returncode for process in running] == [0] * number
    finally:
        for process in running:
            process.kill()
    return [text.split() for text in said]
