"""A task of one's own, as a user would write it outside hudyn: temporal parity.

A network reads bits one at a time and says after each whether the number of 1s so far is odd.
"""

from tests.parity.data import ParityData
from tests.parity.module import ParityModule
from tests.parity.report import report_parity

__all__ = ["ParityData", "ParityModule", "report_parity"]
