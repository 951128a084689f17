"""``fastmlp export``: a saved model for other programs."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from typing import Any

from .. import Network, to_c, to_onnx
from ..errors import UserError
from ..reference import files
from ..tabular import layout
from ..tabular.model import TabularModel, encode_columns
from ..tabular.reading import read_table
from ..tabular.tensors import to_safetensors
from . import arguments
from .output import print_json, write

SUFFIXES = {".onnx": "onnx", ".h": "c", ".c": "c", ".safetensors": "safetensors"}

DESCRIPTION = """\
Write a saved model for other programs, with the scaling of its columns and the names of its classes:
  onnx         for ONNX Runtime and others, which also encodes text columns
  c            a header of C99; text columns are given as the inputs they become
  safetensors  every number as a named tensor, for PyTorch, JAX and others"""


def add(commands: Any) -> None:
    """Declare the command."""
    command = arguments.add_command(
        commands,
        "export",
        "write a saved model as ONNX, C or plain safetensors",
        DESCRIPTION,
        "fastmlp export model.safetensors model.onnx",
        "fastmlp export model.safetensors model.h --name house",
    )
    command.add_argument("model", help="what `fastmlp train`, fastmlp.save or Network.save wrote")
    command.add_argument("output", help="the file to write; - is standard output")
    command.add_argument(
        "--to", choices=tuple(dict.fromkeys(SUFFIXES.values())), help="as what (default: by the ending of the output)"
    )
    arguments.add_json(command)
    group = command.add_argument_group("C")
    group.add_argument(
        "--name", type=c_name, metavar="NAME", help="with what all names in the header begin (default: model)"
    )
    group.add_argument(
        "--arithmetic", choices=("float32", "float64", "int16", "int8"), help="of the C code (default: float32)"
    )
    group.add_argument(
        "--calibration", metavar="DATA", help="CSV or Parquet file of typical rows, which int16 and int8 need"
    )
    command.set_defaults(run=run)


def c_name(text: str) -> str:
    """Check the beginning of names in C for argparse."""
    from ..reference.c_export.text import check_name  # most commands do without

    try:
        return check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(args: argparse.Namespace) -> int:
    """Export, and say what was written."""
    kind = args.to or SUFFIXES.get(os.path.splitext(args.output)[1].lower())
    if kind is None:
        raise UserError(f"{args.output}: say as what with --to, or end the name in {', '.join(SUFFIXES)}")
    for option in ("name", "arithmetic", "calibration"):
        if getattr(args, option) is not None and kind != "c":
            raise UserError(f"--{option} is for C, and this export is to {kind}")
    to_stdout = args.output == arguments.STANDARD
    if to_stdout and args.json:
        raise UserError("--json and an output of - would both be on standard output")
    if not to_stdout:
        arguments.check_output(args.output, args.model)
    told = _export(args, kind, to_stdout)
    if to_stdout:
        return 0
    facts = {"output": args.output, "format": kind, "bytes": os.path.getsize(args.output), **told}
    if args.json:
        print_json(facts)
    else:
        print(f"{kind}, {facts['bytes']} bytes, in {args.output}")
        for name, value in told.items():
            print(f"  {name.replace('_', ' ')}: {f'{value:.4g}' if isinstance(value, float) else value}")
    return 0


def _export(args: argparse.Namespace, kind: str, to_stdout: bool) -> dict[str, Any]:
    """Write the file, or to standard output; return what there is to tell. UserError if that fails."""
    try:
        if not to_stdout:
            return EXPORTS[kind](args, args.output)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model")
            told = EXPORTS[kind](args, path)
            with open(path, "rb") as file:
                write(None, file.read())
            return told
    except OSError as error:
        if to_stdout and error.filename is None:  # of standard output, which is told of for all commands alike
            raise
        raise UserError(f"{error.filename or args.output}: {error.strerror or error}") from None
    except (ValueError, TypeError, ImportError) as error:
        raise UserError(str(error)) from None


def _to_onnx(args: argparse.Namespace, path: str) -> dict[str, Any]:
    model = to_onnx(args.model, path)
    return {"inputs": [node.name for node in model.graph.input], "outputs": [node.name for node in model.graph.output]}


def _to_c(args: argparse.Namespace, path: str) -> dict[str, Any]:
    calibration = None
    if args.arithmetic in ("int16", "int8") and args.calibration is None:
        raise UserError(f"--arithmetic {args.arithmetic} needs --calibration DATA: typical rows, whose range it fits")
    if args.calibration is not None:
        model = layout.load(args.model)
        calibration = encode_columns(model.columns, read_table(args.calibration))
    report = to_c(
        args.model, path, "model" if args.name is None else args.name, args.arithmetic or "float32", calibration
    )
    return {name: value for name, value in vars(report).items() if isinstance(value, (int, float, str))}


def _to_safetensors(args: argparse.Namespace, path: str) -> dict[str, Any]:
    network, extras = files.load_all(args.model, Network)
    if "estimator" in extras:
        raise UserError(
            f"{args.model}: of an estimator, export onnx or c, which take its scaling and its classes along"
        )
    table = extras.get("table")
    model: TabularModel | None = None if table is None else layout.assemble(args.model, network, table)
    to_safetensors(network, model, path)
    return {"inputs": network.layer_sizes[0], "outputs": network.layer_sizes[-1]}


EXPORTS: dict[str, Callable[[argparse.Namespace, str], dict[str, Any]]] = {
    "onnx": _to_onnx,
    "c": _to_c,
    "safetensors": _to_safetensors,
}
