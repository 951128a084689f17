"""Networks to diagnose, and what is asserted of a diagnosis: what its tests share."""

from __future__ import annotations

from typing import Any

import fastmlp
from fastmlp import Diagnosis, Finding


def only(diagnosis: Diagnosis, kind: str, severity: str = "warning") -> Finding:
    """Return the one finding that there is."""
    (finding,) = diagnosis.findings
    assert (finding.kind, finding.severity) == (kind, severity), str(diagnosis)
    assert finding.message
    assert finding.remedy
    assert "{" not in finding.remedy.replace("{label", "")
    return finding


def fresh(network: Any = fastmlp.Network, sizes: Any = (3, 16, 1), activation: Any = "tanh", **arguments: Any) -> Any:
    return network(list(sizes), activation, random_state=0, **arguments)
