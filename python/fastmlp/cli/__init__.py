"""The command line: ``fastmlp COMMAND`` or ``python -m fastmlp COMMAND``, thin over the Python API.

Each command is a module of this folder with ``add(commands)``, which declares its arguments, and
``run(args)``, which does the work and returns the exit code. Results go to standard output, progress,
warnings and errors to standard error, and an error is one line.

It is built on argparse, which every Python has: the base install needs little, a command starts
without the time that importing a larger library takes, and what argparse lacks is small (errors of one
line, and help pages whose examples keep their lines).
"""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from .. import __version__
from ..errors import UserError
from . import activations, bench, demo, diagnose, doctor, evaluate, examples, export, info, predict, train
from .arguments import HelpPage

COMMANDS = (train, predict, evaluate, diagnose, info, export, bench, demo, examples, activations, doctor)

EXIT_CODES = """\
exit codes:
  0    all is well
  1    a check failed, or nobody reads the output any more
  2    a mistake in what was given, or an output that takes no more, told in one line
  130  stopped by Ctrl-C; train has saved the network as it stands"""


class OneLineParser(argparse.ArgumentParser):
    """A parser whose errors are one line, like all others of the command line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help tells more)\n")


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = OneLineParser(
        prog="fastmlp",
        description="Train and run multilayer perceptrons on CPUs.",
        epilog=EXIT_CODES,
        formatter_class=HelpPage,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"fastmlp {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names may have letters that a terminal does not show
        sys.stdout.reconfigure(errors="backslashreplace")
    args = parser().parse_args(argv)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"fastmlp: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("fastmlp: not enough memory", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fastmlp: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _give_up_output()
        return 1
    except OSError as error:
        print(f"fastmlp: {error.filename or 'standard output'}: {error.strerror or error}", file=sys.stderr)
        _give_up_output()
        return 2


def _give_up_output() -> None:
    """Have Python's own flush at exit not complain again of an output that takes no more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
