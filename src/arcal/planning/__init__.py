"""Plans a job before it runs: operations, hours, memory and bytes, each with its formula.

_hardware   lines of a plan; operations that a device does per second, and a computation takes
_attacked   scoring and auditing inputs
_trained    training a run
"""

from arcal.planning._attacked import Attacked, plan_attacked
from arcal.planning._hardware import CARDS, Hardware, Line, Plan
from arcal.planning._trained import Training, plan_training

__all__ = [
    "CARDS",
    "Attacked",
    "Hardware",
    "Line",
    "Plan",
    "Training",
    "plan_attacked",
    "plan_training",
]
