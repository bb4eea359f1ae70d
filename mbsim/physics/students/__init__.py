"""Students: networks of the teacher's form whose weights are trained. One file each; a student is registered by being
imported here.

    binary   h_k = sign( Σ_b w_kb x_in(k,b) ),  y_o = sign( Σ_a v_oa h_in(o,a) ),   w, v = ±1, the teacher's links
    sparse   h_k = φ( s Σ_b w_kb x_in(k,b) ),   y_o = t Σ_a v_oa h_in(o,a),         real, the teacher's links
    dense    h_k = φ( s Σ_n w_kn x_n ),         y_o = t Σ_k v_ok h_k,               real, every link

A kind of student is one object that says how its weights start, what it answers, and when it has learned. All of
it is for one student; shapes as in `problem`.
"""

from mbsim.physics.students.binary import Binary
from mbsim.physics.students.dense import Dense
from mbsim.physics.students.protocol import STUDENTS, StudentKind, fan_in, fan_out, output_weights
from mbsim.physics.students.sparse import Sparse

for _student in (Binary(), Sparse(), Dense()):
    STUDENTS.add(_student.name, _student, built_in=True)

__all__ = ["STUDENTS", "StudentKind", "fan_in", "fan_out", "output_weights"]
