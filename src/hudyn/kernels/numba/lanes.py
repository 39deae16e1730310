"""Vectors with a lane for each member: a number in a kernel stands for the numbers of many members at once.

numba compiles operations on a `Vector` to single instructions of the processor. Lanes do not mix, so a member's result
does not depend on its lane, nor on who is in the others.
"""

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global
from numba.extending import intrinsic, lower_builtin, register_model

INT32 = ir.IntType(32)


class One(NamedTuple):
    """A single lane, for a member alone."""

    lanes: int = 1


class Sixteen(NamedTuple):
    """16 lanes: one or two registers of today's processors in float32."""

    lanes: int = 16


Width = One | Sixteen


class Vector(types.Type):
    """The type of a number, or of a truth value, in each of some lanes."""

    def __init__(self, dtype: Any, lanes: int) -> None:
        self.dtype, self.lanes = dtype, lanes
        super().__init__(name=f"Vector({dtype}, {lanes})")


@register_model(Vector)
class _Model(PrimitiveModel):
    def __init__(self, manager: Any, vector: Vector) -> None:
        element = ir.IntType(1) if vector.dtype is types.boolean else manager.lookup(vector.dtype).get_value_type()
        super().__init__(manager, vector, ir.VectorType(element, vector.lanes))


@intrinsic
def in_lanes(context: Any, width: Any, array: Any) -> Any:
    """View an array [..., lanes] as one of vectors, [...]; the first argument is a `Width`.

    The view does not count as a reference, for counting costs more than the operations: the array has to outlive it,
    as a kernel's arguments do.
    """
    lanes = width.instance_class._field_defaults["lanes"]
    vectors = types.Array(Vector(array.dtype, lanes), array.ndim - 1, "C", aligned=False)

    def view(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = cgutils.create_struct_proxy(array)(context, builder, arguments[1])
        target = cgutils.create_struct_proxy(vectors)(context, builder)
        shape = cgutils.unpack_tuple(builder, source.shape)[:-1]
        strides = cgutils.unpack_tuple(builder, source.strides)[:-1]
        size = builder.mul(source.itemsize, ir.Constant(source.itemsize.type, lanes))
        target.data = builder.bitcast(source.data, target.data.type)
        target.shape, target.strides = cgutils.pack_array(builder, shape), cgutils.pack_array(builder, strides)
        target.itemsize, target.nitems = size, builder.udiv(source.nitems, ir.Constant(source.nitems.type, lanes))
        target.meminfo, target.parent = (ir.Constant(part.type, None) for part in (target.meminfo, target.parent))
        return target._getvalue()

    return vectors(width, array), view


def _spread(context: Any, builder: Any, value: Any, kind: types.Type, vector: Vector) -> Any:
    """`value` in every lane, unless it is a vector already."""
    if isinstance(kind, Vector):
        return value
    scalar = context.cast(builder, value, kind, vector.dtype)
    undefined = ir.Constant(ir.VectorType(scalar.type, vector.lanes), ir.Undefined)
    first = builder.insert_element(undefined, scalar, INT32(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(INT32, vector.lanes), None))


def _operator(function: Callable[..., Any], of_floats: str, of_integers: str, compares: str = "") -> None:
    """Let vectors be operands of `function`; the other operand may be a number."""

    @infer_global(function)
    class Typing(AbstractTemplate):
        def generic(self, operands: Any, keywords: Any) -> Any:
            vectors = [kind for kind in operands if isinstance(kind, Vector)]
            if vectors and len(operands) == 2:
                result = Vector(types.boolean, vectors[0].lanes) if compares else vectors[0]
                return result(*operands)
            return None

    def lower(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        vector = next(kind for kind in signature.args if isinstance(kind, Vector))
        one, other = (_spread(context, builder, *pair, vector) for pair in zip(values, signature.args, strict=True))
        method = getattr(builder, of_floats if isinstance(vector.dtype, types.Float) else of_integers)
        return method(compares, one, other) if compares else method(one, other)

    for operands in ((Vector, Vector), (Vector, types.Number), (types.Number, Vector)):
        lower_builtin(function, *operands)(lower)


for _plain, _in_place, *_names in (
    (operator.add, operator.iadd, "fadd", "add"),
    (operator.sub, operator.isub, "fsub", "sub"),
    (operator.mul, operator.imul, "fmul", "mul"),
):
    _operator(_plain, *_names)
    _operator(_in_place, *_names)
_operator(operator.truediv, "fdiv", "")
for _comparison, _symbol in ((operator.lt, "<"), (operator.gt, ">"), (operator.ge, ">="), (operator.eq, "==")):
    _operator(_comparison, "fcmp_ordered", "icmp_signed", _symbol)


@intrinsic
def where(context: Any, mask: Any, one: Any, other: Any) -> Any:
    """`one` in the lanes where `mask` is true, else `other`; one of them may be a number."""
    vector = one if isinstance(one, Vector) else other

    def select(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        chosen = (_spread(context, builder, *pair, vector) for pair in zip(values[1:], signature.args[1:], strict=True))
        return builder.select(values[0], *chosen)

    return vector(mask, one, other), select


@intrinsic
def spread(context: Any, like: Any, number: Any) -> Any:
    """A number in every lane of a vector like `like`."""

    def fill(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _spread(context, builder, values[1], number, like)

    return like(like, number), fill


def llvm(builder: Any, name: str, vector: Vector, values: list[Any]) -> Any:
    """Call an intrinsic function of LLVM on vectors of one kind."""
    kind = values[0].type
    suffix = f"v{vector.lanes}f{vector.dtype.bitwidth}"
    function_type = ir.FunctionType(kind, [kind] * len(values))
    return builder.call(cgutils.get_or_insert_function(builder.module, function_type, f"llvm.{name}.{suffix}"), values)


@intrinsic
def multiply_add(context: Any, one: Any, other: Any, summand: Any) -> Any:
    """``one · other + summand``, with a single rounding where the processor can; up to two of them may be numbers."""
    vector = next(kind for kind in (one, other, summand) if isinstance(kind, Vector))

    def call(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        given = [_spread(context, builder, *pair, vector) for pair in zip(values, signature.args, strict=True)]
        return llvm(builder, "fmuladd", vector, given)

    return vector(one, other, summand), call


@intrinsic
def square_root(context: Any, numbers: Any) -> Any:
    """Square root in every lane."""
    return numbers(numbers), lambda context, builder, signature, values: llvm(builder, "sqrt", numbers, list(values))


def as_lanes(values: np.ndarray, width: int) -> np.ndarray:
    """Arrange [members, ...] as [groups, ..., lanes], C-contiguous; the lanes of the last group may be padding."""
    members, *shape = values.shape
    groups = -(-members // width)
    padded = np.zeros((groups * width, *shape), values.dtype)
    padded[:members] = values
    return np.ascontiguousarray(np.moveaxis(padded.reshape(groups, width, *shape), 1, -1))


def from_lanes(lanes: np.ndarray, members: int) -> np.ndarray:
    """Undo `as_lanes`: a copy, [members, ...]."""
    return np.moveaxis(lanes, -1, 1).reshape(-1, *lanes.shape[1:-1])[:members].copy()
