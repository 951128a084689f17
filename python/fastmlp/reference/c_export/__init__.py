"""Networks as C: one header that predicts, in floating or in fixed point, and needs but <math.h> and <stdint.h>.

``forms`` has the activations in C, ``floats`` the code in floating point, ``fixed`` and ``tables`` the arithmetic in
integers and ``integers`` its code, ``header`` what all have around it.
"""

from .header import export
from .report import CReport

__all__ = ["CReport", "export"]
