"""What `inspect.signature` shows of a function that `generator` has made."""

from __future__ import annotations

import sys
from inspect import Parameter, Signature, signature
from typing import Any

# Since 3.14 an annotation may have names that are not defined yet. They are then shown as names.
AS_FAR_AS_KNOWN: dict[str, Any] = {}
if sys.version_info >= (3, 14):
    from annotationlib import Format

    AS_FAR_AS_KNOWN["annotation_format"] = Format.FORWARDREF


class WithoutYield(Signature):
    """The signature of *function*, without its parameter at *place*.

    It is computed whenever somebody looks, so that no annotation is evaluated before.
    """

    __slots__ = ("function", "place")

    def __init__(self, function: Any, place: int, returns: Any) -> None:
        super().__init__(return_annotation=returns)
        self.function = function
        self.place = place

    def found(self) -> Signature:
        """Return the signature as it is now, as a plain Signature."""
        returns = self.return_annotation
        try:
            whole = signature(self.function, **AS_FAR_AS_KNOWN)
        except (TypeError, ValueError):  # some callables have none
            anything = [Parameter("args", Parameter.VAR_POSITIONAL)]
            anything.append(Parameter("kwargs", Parameter.VAR_KEYWORD))
            return Signature(anything, return_annotation=returns)
        parameters = list(whole.parameters.values())
        kinds = [parameter.kind for parameter in parameters]
        if kinds[self.place : self.place + 1] != [Parameter.VAR_POSITIONAL]:
            del parameters[self.place : self.place + 1]
        return whole.replace(parameters=parameters, return_annotation=returns)

    @property
    def parameters(self) -> Any:
        return self.found().parameters

    def replace(self, **changes: Any) -> Any:
        return self.found().replace(**changes)

    __replace__ = replace  # type: ignore[assignment, unused-ignore]  # there since 3.13

    def __reduce__(self) -> Any:
        return self.found().__reduce__()
