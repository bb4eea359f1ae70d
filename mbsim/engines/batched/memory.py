"""How many students of gradient descent fit, and how much work a call may do, before anything is compiled.

Memory in bytes of one device, work in multiplications and additions.
"""

import jax
from jax.sharding import Mesh

from mbsim.engines.batched.setting import SgdSetting
from mbsim.engines.batched.sgd import TEST_TILE
from mbsim.engines.devices import available_bytes

CALL_WORK = 1e10  # of one device in one call: a fraction of a second of a core, so that interrupts are prompt
MOST_STUDENTS = 4096  # of one launch on one core,
MANY_STUDENTS = 2**17  # and on an accelerator, where all that fit are trained side by side


def state_bytes(setting: SgdSetting) -> int:
    """Weights of a student with the memory of its optimiser."""
    copies = 3 if setting.optimizer.name == "adam" else 2 if setting.optimizer.momentum else 1
    return 4 * copies * setting.shape.weights + 16


def work_bytes(setting: SgdSetting, platform: str) -> int:
    """What a student takes in training or measurement: gradients, and the examples of a chunk or a tile; on a TPU
    matrices of links too, of student and teacher.
    """
    shape = setting.shape
    examples = max(setting.chunk * setting.width, min(TEST_TILE, setting.test_size))
    links = 0 if shape.dense else shape.K * shape.d + shape.M * shape.output_degree
    rows = 3 * shape.N + 4 * shape.student_hidden + 4 * shape.M + 3 * (shape.K + links)
    teacher = shape.K * shape.d + (0 if shape.scalar else shape.M * shape.d)
    match = 3 * shape.K * shape.student_hidden + 2 * shape.N * shape.student_hidden
    matrices = (
        0 if platform != "tpu" else 2 * (shape.K * shape.N + (0 if shape.scalar else shape.M * shape.K))
    )
    return 2 * state_bytes(setting) + 4 * (examples * (rows + teacher) + 2 * shape.weights + match + matrices)


def launch_bytes(setting: SgdSetting, students: int, platform: str) -> int:
    """Estimated memory of a launch: all states, twice where they are mapped, and the work of one or all."""
    working = 1 if platform == "cpu" else students
    return students * (2 * state_bytes(setting) + 128) + working * work_bytes(setting, platform)


def students_per_device(setting: SgdSetting, total: int, mesh: Mesh) -> int:
    """Students of one launch on one device: few enough to fit, in launches as equal as they can be.

    Raises MemoryError when not even one student fits.
    """
    device, count = mesh.devices.flat[0], mesh.devices.size
    platform, room = device.platform, available_bytes(device)
    if launch_bytes(setting, 1, platform) > room:
        raise MemoryError(
            f"one student needs {launch_bytes(setting, 1, platform) / 2**30:.2f} GiB, "
            f"but the device has {room / 2**30:.2f} GiB"
        )
    cpu, work = platform == "cpu", work_bytes(setting, platform)
    each = 2 * state_bytes(setting) + 128 + (0 if cpu else work)
    most = min(MOST_STUDENTS if cpu else MANY_STUDENTS, (room - (work if cpu else 0)) // each)
    launches = -(-total // (most * count))
    return -(-total // (launches * count))


def step_work(setting: SgdSetting) -> int:
    """Multiplications and additions of one step of one student, about."""
    shape = setting.shape
    hidden, output = shape.fan_in[0] * shape.student_hidden, shape.fan_in[1] * shape.M
    # Gathered links take some ten times what those of a matrix product do.
    links = (4 * hidden + 6 * output) * (1 if shape.dense else 10)
    return setting.width * (links + 50 * (shape.N + shape.K + shape.M)) + 4 * shape.weights


def steps_per_call(setting: SgdSetting, students: int, device: jax.Device) -> int:
    """Steps that all students of a device take in one call, in whole chunks."""
    work = CALL_WORK if device.platform == "cpu" else 100 * CALL_WORK
    chunks = work / (step_work(setting) * students * setting.chunk)
    return max(1, int(chunks)) * setting.chunk
