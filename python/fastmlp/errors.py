"""Errors that users meet."""

from __future__ import annotations

from .reference.checks import missing_extra as missing_extra  # the reference has need of it too


class UserError(Exception):
    """A mistake in what was given to the command line, told in one line."""
