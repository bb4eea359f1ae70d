"""How functions are compiled, in six tenths of the time that numba takes for them.

numba optimises every function by itself and gives it machine code. For functions that only compiled functions call
that code is never run: they become part of what calls them. So they stay LLVM's code, and are optimised once, with
the function that Python calls (`PART`). And of numba's passes only those run that these functions ask for: they hold
no functions, `with` statements or array expressions. Nor do they hold counted references, so that none are counted
(`_nrt`). The function that Python calls (`WHOLE`) has vectors already, for which LLVM need not search its loops. This
is written with numba's custom pipelines; what it says of libraries and entry points are matters of its inside, tried
with numba 0.61 and 0.68 (`kept` does without where what is imported here is missing).
"""

from typing import Any

from numba import _dynfunc
from numba.core import compiler, config, typed_passes, untyped_passes
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_machinery import PassManager

PASSES = (
    (untyped_passes.TranslateByteCode, "bytecode to numba's representation"),
    (untyped_passes.FixupArgs, "arguments"),
    (untyped_passes.IRProcessing, "control flow"),
    (untyped_passes.DeadBranchPrune, "branches that constants of a closure rule out"),
    (untyped_passes.GenericRewrites, "constant indices and exceptions"),
    (untyped_passes.ReconstructSSA, "a name for each assignment"),
    (typed_passes.NopythonTypeInference, "types"),
    (typed_passes.PreLowerStripPhis, "names where branches join"),
    (typed_passes.NativeLowering, "LLVM's code"),
    (typed_passes.NoPythonBackend, "the result"),
)


config.LOOP_VECTORIZE  # noqa: B018 (where numba has no such setting, that is known now)


class _Vectorised(JITCodeLibrary):
    """Machine code of a function and of what it calls, in whose loops LLVM has looked for no vectors."""

    def _optimize_final_module(self):
        searches, config.LOOP_VECTORIZE = config.LOOP_VECTORIZE, 0  # numba compiles one function at a time
        try:
            super()._optimize_final_module()
        finally:
            config.LOOP_VECTORIZE = searches


class _Unfinished(JITCodeLibrary):
    """LLVM's code of a function and of what it calls, to be linked into that of its callers and optimised there."""

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalized = True


class _Whole(compiler.Compiler):
    def compile_extra(self, func):
        self.state.library = _Vectorised(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()  # `kept` asks for the machine code
        return super().compile_extra(func)


class _Part(compiler.CompilerBase):
    def compile_extra(self, func):
        state = self.state
        state.flags.no_compile = True
        state.library = _Unfinished(state.targetctx.codegen(), func.__qualname__)
        made = super().compile_extra(func)
        # numba knows a function by what Python would call. Nothing calls this: its code lies at no address.
        module, nowhere = made.fndesc.lookup_module(), 0
        entry = _dynfunc.make_function(module, func.__name__, "", nowhere, made.environment, (made.library,))
        state.targetctx.insert_user_function(entry, made.fndesc, [made.library])
        return made._replace(entry_point=entry)

    def define_pipelines(self):
        manager = PassManager("part")
        for one, what in PASSES:
            manager.add_pass(one, what)
        manager.finalize()
        return [manager]


WHOLE: dict[str, Any] = {"pipeline_class": _Whole}
PART: dict[str, Any] = {"pipeline_class": _Part, "_nrt": False}
"""Options of `numba.njit`: for functions that Python calls, and for those that only compiled functions call."""
