"""What a test needs of the machine and does not find there."""

import os
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skip a test and say what is lacking; where everything has to be there, fail."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
