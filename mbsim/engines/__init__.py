"""What trains students: each engine repeats the physics, and is held to the reference.

In the order of `ENGINES` the first that does not refuse a task trains it (`choose`).
"""

from mbsim.engines.by_batched import BATCHED
from mbsim.engines.by_pallas import PALLAS
from mbsim.engines.by_registers import REGISTERS
from mbsim.engines.choice import choose, distrust, shares
from mbsim.engines.protocol import ENGINES, Engine, Students, Task, Trained
from mbsim.engines.reference import REFERENCE

for _engine in (PALLAS, REGISTERS, BATCHED, REFERENCE):  # the first that can is taken
    ENGINES.add(_engine.name, _engine, built_in=True)

__all__ = ["ENGINES", "Engine", "Students", "Task", "Trained", "choose", "distrust", "shares"]
