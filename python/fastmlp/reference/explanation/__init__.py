"""One pass forward and one backward, written as a textbook writes them: in text, Markdown or HTML."""

from __future__ import annotations

import math

import numpy as np

from .. import checks
from ..results import Origin, Trace
from . import markdown, page, text
from .backward import backward, update
from .forward import forward, given, loss, name_of_loss
from .numbers import ELLIPSIS, Digits
from .steps import Section

FORMATS = {"text": text.write, "markdown": markdown.write, "html": page.write}


class Explanation(str):
    """The text of an explanation, which a notebook shows with its formulas set.

    See :meth:`Trace.explain`.
    """

    markdown: str

    def __new__(cls, written: str, markdown: str = "") -> Explanation:
        explanation = super().__new__(cls, written)
        explanation.markdown = markdown
        return explanation

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return self.markdown


def explain(trace: Trace, format: str, *, digits: int, learning_rate: float | None, max_size: int) -> Explanation:
    """Return the explanation of a trace; see :meth:`Trace.explain`."""
    write = checks.find(format, FORMATS, "format")
    how = Digits(checks.integer(digits, "digits", 1, 17), checks.integer(max_size, "max_size", 2))
    if trace.origin is None:
        raise ValueError("this trace does not know its network: explain what net.trace(X, Y) returns")
    if not len(trace.A[0]):
        raise ValueError("the trace has no rows: there is nothing to explain")
    if learning_rate is not None:
        if trace.origin.loss is None:
            raise ValueError("learning_rate needs gradients: pass targets, net.trace(X, Y)")
        learning_rate = checks.number(learning_rate, "learning_rate", 0, math.inf)
    with np.errstate(all="ignore"):  # a network may have overflowed: its numbers are written as they are
        sections = _sections(trace, trace.origin, learning_rate, how)
    content = (_title(trace, trace.origin), _notes(trace, how), sections, how)
    return Explanation(write(*content), markdown.write(*content))


def _sections(trace: Trace, origin: Origin, learning_rate: float | None, how: Digits) -> list[Section]:
    """Return what is given, the layers forward and, with targets, the loss, the layers backward and the update."""
    layers = range(1, len(trace.A))
    found = [given(trace, origin), *(forward(trace, origin, l) for l in layers)]
    if origin.loss is not None and origin.Y is not None:
        found += [loss(trace, origin.loss, origin.Y, how), *(backward(trace, origin, l) for l in reversed(layers))]
        if learning_rate is not None:
            found.append(update(trace, origin, learning_rate))
    return found


def _title(trace: Trace, origin: Origin) -> str:
    sizes = "-".join(str(A.shape[1]) for A in trace.A)
    n = len(trace.A[0])
    what = "One step of the" if origin.loss else "The pass forward of the"
    names = ", ".join(dict.fromkeys(origin.activations))
    ending = f", {name_of_loss(origin.loss)}" if origin.loss else ""
    return f"{what} {sizes} network ({names}), {n} sample{'s' * (n > 1)}{ending}"


def _notes(trace: Trace, how: Digits) -> list[str]:
    """Return what holds for the whole explanation."""
    notes = [
        "Rows are samples. Layers are numbered from 1; layer 0 is the input, A[0] = X.",
        f"Numbers are computed in {trace.A[-1].dtype.name}, and written with {how.digits} significant "
        f"digit{'s' * (how.digits > 1)}.",
        "Differences of nearly equal numbers have fewer, if they are worked out from what is written.",
    ]
    if max(max(A.shape) for A in trace.A) > how.max_size:
        notes.append(f"Of more than {how.max_size} rows or columns those in the middle are left out: {ELLIPSIS}")
    return notes
