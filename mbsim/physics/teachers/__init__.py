"""Teachers: what a student has to learn. One file each; a teacher is registered by being imported here.

A kind of teacher is one object that draws its disorder and answers inputs, and says which students can learn it.
"""

from mbsim.physics.teachers.drawing import draw_real_teacher, draw_teacher, linked
from mbsim.physics.teachers.parity import Parity
from mbsim.physics.teachers.protocol import TEACHERS, TeacherKind
from mbsim.physics.teachers.sparse import Sparse

for _teacher in (Sparse(), Parity()):  # the first is the default
    TEACHERS.add(_teacher.name, _teacher, built_in=True)

__all__ = ["TEACHERS", "TeacherKind", "draw_real_teacher", "draw_teacher", "linked"]
