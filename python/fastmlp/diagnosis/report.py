"""What a diagnosis says: its findings, as text, Markdown or plain data."""

from __future__ import annotations

import math
import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ERROR, WARNING = "error", "warning"

WIDTH = 100


@dataclass(frozen=True)
class Finding:
    """One thing that keeps a network from learning.

    Attributes
    ----------
    kind : str
        Its name, which stays from version to version, such as "dead_units".
    severity : {"error", "warning"}
        An error keeps the network, or a part of the targets, from being learnt at all; with a warning it learns more
        slowly, or less, than it could.
    message : str
        What was found, in words.
    remedy : str
        What to write instead.
    evidence : dict
        The numbers: layers counted from 1 as in ``W[l]``, neurons and columns from 0.

    Examples
    --------
    >>> import fastmlp
    >>> X, Y = [[0.0], [0.5], [1.0]], [-1.0, 0.0, 1.0]
    >>> net = fastmlp.Network([1, 4, 1], output_activation="relu", random_state=0)
    >>> finding = fastmlp.diagnose(net, X, Y).findings[0]
    >>> finding.kind, finding.severity, finding.evidence["rows"]
    ('unreachable_targets', 'error', 1)
    """

    kind: str
    severity: str
    message: str
    remedy: str
    evidence: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON can hold it; a number that is not finite becomes None."""
        return {name: plain(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`fastmlp.diagnose` found; printed, it is a report. True in a condition if nothing was found.

    Attributes
    ----------
    findings : list of Finding
        Errors first.
    rows : int
        The number of rows that were looked at.
    n_rows : int
        The number of rows there are.
    loss : float or None
        The mean loss of the rows looked at; None where it cannot be computed.
    plain_loss : float or None
        That of the best outputs that do not depend on the inputs: the mean of the targets, the frequencies of classes.

    Examples
    --------
    >>> import fastmlp
    >>> X = [[0.0], [0.5], [1.0]]
    >>> net = fastmlp.Network([1, 4, 1], init="zeros")
    >>> diagnosis = fastmlp.diagnose(net, X, [-1.0, 0.5, 1.0])
    >>> bool(diagnosis), diagnosis.kinds
    (False, ['symmetric_neurons'])
    """

    findings: list[Finding]
    rows: int
    n_rows: int
    loss: float | None = None
    plain_loss: float | None = None

    @property
    def kinds(self) -> list[str]:
        """The kinds of the findings, each once."""
        return list(dict.fromkeys(finding.kind for finding in self.findings))

    def __bool__(self) -> bool:
        return not self.findings

    def __str__(self) -> str:
        lines = [self._headline()]
        for finding in self.findings:
            lines += ["", f"{finding.severity.upper()} {finding.kind}"]
            for text in (finding.message, f"-> {finding.remedy}"):
                lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        parts = [
            f"- **{_escaped(finding.kind)}** ({finding.severity}): {_escaped(finding.message)}  \n"
            f"  → {_escaped(finding.remedy)}"
            for finding in self.findings
        ]
        return "\n".join([self._headline(), "", *parts])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON can hold it; a number that is not finite becomes None."""
        findings = [finding.to_dict() for finding in self.findings]
        return {**{name: plain(value) for name, value in vars(self).items()}, "findings": findings}

    def _headline(self) -> str:
        found = counted(len(self.findings), "finding") if self.findings else "nothing found"
        rows = f"{self.rows:,} rows" if self.rows == self.n_rows else f"{self.rows:,} of {self.n_rows:,} rows"
        losses = "" if self.loss is None else f"; loss {self.loss:.4g}"
        if self.plain_loss is not None:
            losses += f", that of the best constant outputs {self.plain_loss:.4g}"
        return f"{found} in {rows}{losses}"


def counted(n: int, noun: str) -> str:
    """Return "1 row" or "2,000 rows"."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _escaped(text: str) -> str:
    """Return text that Markdown leaves as it is."""
    return re.sub(r"([\\*_`<|])", r"\\\1", text)


def plain(value: Any) -> Any:
    """Return a value made of Python's own numbers, lists and dictionaries."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
