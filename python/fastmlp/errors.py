"""Errors that users meet."""

from __future__ import annotations


class UserError(Exception):
    """A mistake in what was given to the command line, told in one line."""


def missing_extra(module: str, extra: str) -> ImportError:
    """Return the error that names the command which installs an optional dependency."""
    return ImportError(f"{module} is not installed: pip install 'fastmlp[{extra}]'")
