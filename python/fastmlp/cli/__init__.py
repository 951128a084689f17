"""The command line: ``fastmlp COMMAND`` or ``python -m fastmlp COMMAND``, thin over the Python API.

Each command is a module of this folder with ``add(commands)``, which declares its arguments, and
``run(args)``, which does the work and returns the exit code.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from ..errors import UserError
from . import activations, demo, doctor, examples, predict, train

COMMANDS = (demo, examples, activations, train, predict, doctor)

EXIT_CODES = "exit codes: 0 all is well, 1 a check failed, 2 a mistake in what was given, 130 stopped by Ctrl-C"


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others of the command line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help tells more)\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = OneLineParser(prog="fastmlp", description="Train and run multilayer perceptrons on CPUs.", epilog=EXIT_CODES)
    top.add_argument("--version", action="version", version=f"fastmlp {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"fastmlp: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fastmlp: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; Python's own flush at exit must not complain of it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
