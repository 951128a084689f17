"""``fastmlp train``: a network for the columns of a table."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from typing import Any

import numpy as np

from .. import Checkpoint, DivergenceWarning, EarlyStopping, __version__
from ..errors import UserError
from ..reference.checkpoints import AnotherRunError
from ..reference.results import History
from ..tabular import layout
from ..tabular.evaluation import evaluate, name_of_guess, plainest_guess
from ..tabular.model import TabularModel
from ..tabular.reading import read_table
from ..tabular.table import Table, shortened
from ..tabular.targets import Target
from . import arguments, resuming
from .optimizers import make_optimizer, takes_all_rows
from .output import print_json
from .preparation import SameSamples, Samples, prepare
from .report import print_metrics, warn_of_unknown
from .train_options import BATCH_SIZE, PATIENCE, SECONDS_BETWEEN_CHECKPOINTS, VALIDATION_FRACTION, add_options

DESCRIPTION = """\
Train a network to predict one column of a table from others, and save it for the other commands. Some rows are held \
out to test it. Numbers are standardised with the mean and the deviation of the training rows; text becomes one input \
for each of its values. Only the data and --target have to be given."""


def add(commands: Any) -> None:
    """Declare the command."""
    command = arguments.add_command(
        commands,
        "train",
        "train a network on a table",
        DESCRIPTION,
        "fastmlp train houses.csv --target price",
        "fastmlp train houses.csv --target city --impute median --early-stopping --output city.safetensors",
    )
    command.usage = "fastmlp train DATA --target COLUMN [options]"
    add_options(command)
    command.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, report and save."""
    _check_files(args)
    table = read_table(args.data, args.format)
    model, target, samples, rng = prepare(args, table)
    if not args.json:
        _introduce(args, table, model, target, samples)
    warn_of_unknown(samples.unknown, "test rows", args.quiet)
    try:
        history = _train(args, model, samples, rng)
        report = _report(args, model, target, samples)
    except KeyboardInterrupt:
        model.training = _told(args, table, samples, None)
        layout.save(model, args.output)
        goes_on = f"; --resume {args.checkpoint} goes on" if args.checkpoint and os.path.exists(args.checkpoint) else ""
        print(f"fastmlp: stopped; the network as it stands is in {args.output}{goes_on}", file=sys.stderr)
        return 130
    model.training = {**_told(args, table, samples, history), "metrics": report}
    layout.save(model, args.output)
    _print_results(args, model, target, samples, history, report)
    return 0


def _check_files(args: argparse.Namespace) -> None:
    """Raise UserError if what is to be written cannot be, or would be lost: before the work."""
    arguments.check_output(args.output, args.data, *filter(None, [args.resume]))
    if args.checkpoint:
        arguments.check_output(args.checkpoint, args.data)
        if os.path.realpath(args.checkpoint) == os.path.realpath(args.output):
            raise UserError(f"{args.output}: the model and the checkpoint need a file each")
    elif args.checkpoint_every is not None:
        raise UserError("--checkpoint-every is for a run with --checkpoint FILE")


def _train(args: argparse.Namespace, model: TabularModel, samples: Samples, rng: np.random.Generator) -> History:
    """Train the model's network; UserError if the options do not fit together, or numbers become too large."""
    X, Y = samples.X[samples.train], samples.Y[samples.train]
    fraction = _validation_fraction(args)
    n_rows = len(X) - round(len(X) * (fraction or 0.0))
    if fraction and n_rows in (0, len(X)):
        what = "validate with" if n_rows else "train on"
        raise UserError(f"--validation-fraction {fraction:g} of {len(X)} rows leaves none to {what}")
    optimizer = make_optimizer(args, model.loss, n_rows)
    callbacks: list[Any] = [SameSamples(X, Y, samples.weight)] if args.checkpoint or args.resume else []
    if _stops_early(args):
        callbacks.append(EarlyStopping(args.patience or PATIENCE))
    if args.checkpoint:
        every = SECONDS_BETWEEN_CHECKPOINTS if args.checkpoint_every is None else args.checkpoint_every
        callbacks.append(Checkpoint(args.checkpoint, seconds=every or None))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", DivergenceWarning)
            return model.network.train(
                X,
                Y,
                epochs=args.epochs,
                batch_size=_batch_size(args),
                optimizer=optimizer,
                loss=model.loss,
                sample_weight=samples.weight,
                validation_data=fraction,
                callbacks=callbacks,
                progress=not args.quiet,
                random_state=rng,
                n_threads=args.threads,
                dropout=args.dropout,
                max_time=args.max_time,
                resume=args.resume,
            )
    except DivergenceWarning:
        raise UserError(f"training diverged, nothing is saved: {_remedy(args, optimizer)}") from None
    except OSError as error:
        raise UserError(f"{error.filename or args.checkpoint}: {error.strerror or error}") from None
    except MemoryError as error:
        n = model.network.parameters.size
        how = f": --optimizer lm has matrices of {n} x {n} numbers, lbfgs and adam do without"
        raise UserError(f"not enough memory to train{how if args.optimizer == 'lm' else f': {error}'}") from None
    except AnotherRunError as error:
        raise resuming.told(args, error) from None
    except (ValueError, TypeError, ImportError) as error:
        raise UserError(str(error)) from None


def _batch_size(args: argparse.Namespace) -> int | None:
    """Return the rows of a step, None for all; UserError if the optimizer needs others."""
    if takes_all_rows(args.optimizer):
        if args.batch_size:
            raise UserError(f"--optimizer {args.optimizer} takes all rows in each step: leave out --batch-size")
        return None
    size: int = BATCH_SIZE if args.batch_size is None else args.batch_size
    return size or None


def _stops_early(args: argparse.Namespace) -> bool:
    return bool(args.early_stopping or args.patience)


def _validation_fraction(args: argparse.Namespace) -> float | None:
    fraction: float | None = args.validation_fraction
    return VALIDATION_FRACTION if fraction is None and _stops_early(args) else fraction


def _remedy(args: argparse.Namespace, optimizer: Any) -> str:
    rate = getattr(optimizer, "learning_rate", None)
    return "try --dtype float64, or another --optimizer" if rate is None else f"try a --learning-rate below {rate:g}"


def _introduce(args: argparse.Namespace, table: Table, model: TabularModel, target: Target, samples: Samples) -> None:
    """Say what will be trained."""
    task = f"classification, classes {shortened(model.classes)}" if model.classes else "regression"
    how = "inferred from its cells" if args.task == "auto" else "as asked for"
    if args.task == "auto" and target.may_be_classes():
        how += "; --task classification takes its numbers as classes"
    print(f"{table.source}: {len(table)} rows, {len(samples.test)} of them held out to test")
    print(f"features {shortened(column.name for column in model.columns)}")
    for column in model.columns:
        if column.kind != "number" or column.fill is not None:
            print(f"  {column.name}: {column.told()}")
    print(f"target {model.target}: {task} ({how})")
    net = model.network
    sizes, names = "-".join(map(str, net.layer_sizes)), ", ".join(dict.fromkeys(net.activations))
    print(f"network {sizes}, {names}, {args.dtype}: {net.parameters.size} parameters", flush=True)


def _report(args: argparse.Namespace, model: TabularModel, target: Target, samples: Samples) -> dict[str, Any]:
    """Return the metrics of the training and the test rows, and those of the plainest guess."""
    Y_hat = model.predict(samples.X, args.threads)
    return {
        part: {
            "rows": len(rows),
            **evaluate(model, Y_hat[rows], target.values[rows]),
            "plainest_guess": plainest_guess(model, target.values[rows]),
        }
        for part, rows in (("train", samples.train), ("test", samples.test))
        if len(rows)
    }


def _told(args: argparse.Namespace, table: Table, samples: Samples, history: History | None) -> dict[str, Any]:
    """Return how a model was trained, without what differs from run to run."""
    told: dict[str, Any] = {
        "fastmlp": __version__,
        "rows": len(table),
        "rows_trained_on": len(samples.train),
        "optimizer": args.optimizer,
        "batch_size": _batch_size(args) or "all",
        "seed": args.seed,
    }
    numbers = ("learning_rate", "schedule", "l2", "alpha", "dropout", "class_weight", "weights", "impute")
    told.update({name: getattr(args, name) for name in numbers if getattr(args, name)})
    if history is None:
        return {**told, "end": "stopped by Ctrl-C"}
    told.update(epochs=len(history.loss), final_loss=_last(history.loss), end=history.stop_reason)
    if history.validation_loss:
        told["validation_loss"] = min(history.validation_loss) if _stops_early(args) else history.validation_loss[-1]
    return told


def _last(curve: list[float]) -> float | None:
    """Return the last value, or None of a run that ended within its first epoch."""
    return curve[-1] if curve else None


def _print_results(
    args: argparse.Namespace,
    model: TabularModel,
    target: Target,
    samples: Samples,
    history: History,
    report: dict[str, Any],
) -> None:
    if args.json:
        results: dict[str, Any] = {
            "task": model.task,
            "target": model.target,
            "classes": model.classes,
            "features": [column.name for column in model.columns],
            "layer_sizes": list(model.network.layer_sizes),
            "parameters": int(model.network.parameters.size),
            "epochs": len(history.loss),
            "seconds": history.seconds,
            "end": history.stop_reason,
            "loss": _last(history.loss),
            "metrics": report,
            "output": args.output,
        }
        print_json(results)
        return
    ending = "" if len(history.loss) == args.epochs else f": {history.stop_reason}"
    print(f"{len(history.loss)} epochs in {history.seconds:.2f} s{ending}")
    guess = name_of_guess(model, target.values[samples.train])
    print_metrics({part: dict(metrics) for part, metrics in report.items()}, guess)
    print(f"saved in {args.output}")
