"""What is done with blocks of students: draw their weights, train them, measure them, all without Python.

Compiled once, whatever the kind of block: it calls the functions of the kind by their addresses (`calls`).
"""

from mbsim.engines.registers.calls import call, words_at
from mbsim.engines.registers.kept import inner, kept
from mbsim.engines.registers.records import Agreement, Tally
from mbsim.engines.registers.rows import length_of, place_of, told

WORD = 8  # bytes of a number of a row
TRAINING, EXAM, AGREEMENT, DRAWING = map(length_of, ("training", "exam", "agreement", "drawing"))
TRAINED, WRONG = place_of("training", Tally, "total"), place_of("exam", Tally, "total")
AGREED = place_of("agreement", Agreement, "result")


@inner
def summed(result, one, other, length):
    """The row of a block, at one address, and that of the thread, at the other, as one; returns its words."""
    to, first, second = words_at(result), words_at(one), words_at(other)
    for i in range(length):
        to[i] = first[i] + second[i]
    return to


@inner
def examined(work, room, row, function, label, place):
    """Count the wrong answers of a block whose exams begin at `row`, from `place` on."""
    for part in range(work.parts):
        words = summed(room.sum, row + part * EXAM * WORD, room.exam, EXAM)
        words[WRONG] += place
        call(function, (room.sum, label))


@inner
def observed(work, results, room, block, k):
    """Measure a block for the time number k of the work."""
    place = (block * results.times + results.first + k) * results.students * WORD
    words = summed(room.sum, work.agreements + block * AGREEMENT * WORD, room.agreement, AGREEMENT)
    words[AGREED] = results.agreement + place
    call(work.agree, (room.sum,))
    exams = block * work.parts * EXAM * WORD
    examined(work, room, work.tests + exams, work.test, work.times[k], results.test_wrong + place)
    examined(work, room, work.batches + exams, work.examine, work.numbers[k], results.batch_wrong + place)


@inner
def trained(work, results, room, block, k, begin, stop):
    """Train a block; what it accepts counts at time number k."""
    words = summed(room.sum, work.training + block * TRAINING * WORD, room.training, TRAINING)
    place = (block * results.times + results.first + k) * results.students * WORD
    words[TRAINED] = results.accepted + place
    call(work.train, (room.sum, begin, stop))


@kept
def do(first, last, begin, stop, row):
    """Take blocks first to last from sweep `begin` to sweep `stop`, and measure them on the way."""
    work, results = told(row, "work", "Work", 64), told(row, "work", "Results", 64)
    room = told(row, "work", "Room", 64)
    for block in range(first, last):
        if begin == 0:
            for layer in range(work.layers):
                call(work.draw, (work.drawings + (block * work.layers + layer) * DRAWING * WORD,))
        now = begin
        for k in range(work.measured):
            if work.times[k] > now:
                trained(work, results, room, block, k, now, work.times[k])
                now = work.times[k]
            observed(work, results, room, block, k)
        if now < stop:
            trained(work, results, room, block, work.measured, now, stop)
