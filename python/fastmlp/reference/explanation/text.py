"""Explanations in plain text: matrices are drawn side by side, as far as a line goes."""

from __future__ import annotations

import ast

from ..arrays import Array
from .numbers import Digits
from .steps import Equation, Section
from .writer import Writer, index_of

WIDTH = 100
SHAPES_AT = 60  # column

LEGEND = "@ multiplies matrices, * and / go number by number, .T swaps rows and columns, ^ is a power."

Block = list[str]  # lines of one width
LETTERS = {"s_prime": "s'"}
OPERATORS: dict[type[ast.operator], str] = {
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.MatMult: "@", ast.Pow: "^"}
}


class Text(Writer[list[Block]]):
    """Writes a tree as blocks: words, and matrices of several lines. What belongs together has no blank between."""

    def number(self, text: str) -> list[Block]:
        return [[text]]

    def matrix(self, matrix: Array) -> list[Block]:
        columns = [_aligned(column) for column in zip(*self.digits.rows(matrix), strict=True)]
        return [[f"[ {'  '.join(row)} ]" for row in zip(*columns, strict=True)]]

    def letter(self, name: str) -> list[Block]:
        return [[LETTERS.get(name, name)]]

    def indexed(self, node: ast.expr, transposed: bool = False) -> list[Block]:
        name, layer = index_of(node)
        return [[f"{name}{'' if layer is None else f'[{layer}]'}{'.T' if transposed else ''}"]]

    def negative(self, operand: list[Block]) -> list[Block]:
        return _glued("-", operand)

    def parenthesized(self, node: ast.expr) -> list[Block]:
        return _glued("(", self.write(node), ")")

    def operation(self, node: ast.BinOp) -> list[Block]:
        left, right = self.operand(node.left, node), self.operand(node.right, node)
        sign = OPERATORS[type(node.op)]
        if sign != "^":
            return [*left, [sign], *right]
        return [*left[:-1], _beside(left[-1], [sign], right[0]), *right[1:]]

    def comparison(self, left: list[Block], sign: str, right: list[Block]) -> list[Block]:
        return [*left, [sign], *right]

    def cases(self, branches: list[tuple[list[Block], list[Block]]], otherwise: list[Block]) -> list[Block]:
        words: list[Block] = []
        for value, condition in branches:
            words += [*value, ["if"], *condition, ["else"]]
        return [*words, *otherwise]

    def call(self, name: str, arguments: list[ast.expr]) -> list[Block]:
        inside: list[Block] = []
        for argument in arguments:
            inside = [*_glued("", inside, ","), *self.write(argument)] if inside else self.write(argument)
        return _glued(f"{LETTERS.get(name, name)}(", inside, ")")


class Shapes(Text):
    """Writes shapes in place of matrices."""

    def matrix(self, matrix: Array) -> list[Block]:
        return [[str(matrix.shape)]]


def _glued(before: str, words: list[Block], after: str = "") -> list[Block]:
    """Return the words with something right before the first and right after the last; parentheses are as tall."""
    words = [*words]
    height = max(map(len, words))
    opening = ["("] * height if before.endswith("(") else [""]
    closing = [")"] * height if after == ")" else [after]
    words[0] = _beside([before.rstrip("(")], opening, words[0])
    words[-1] = _beside(words[-1], closing)
    return words


def _beside(*blocks: Block) -> Block:
    """Return the blocks side by side, each in the middle."""
    height = max(map(len, blocks))
    columns = []
    for block in blocks:
        above = (height - len(block)) // 2
        blank = [" " * len(block[0])]
        columns.append([*blank * above, *block, *blank * (height - len(block) - above)])
    return ["".join(row) for row in zip(*columns, strict=True)]


def _aligned(numbers: tuple[str, ...]) -> list[str]:
    """Return numbers with their points below each other."""
    parts = [number.partition(".") for number in numbers]
    before = max(len(whole) for whole, _, _ in parts)
    after = max(len(point + rest) for _, point, rest in parts)
    return [whole.rjust(before) + (point + rest).ljust(after) for whole, point, rest in parts]


def _bands(first: Block, words: list[Block], indent: int) -> list[Block]:
    """Return the words in bands of one or more lines, as wide as fits; ``first`` stands before them."""
    bands, width = [[first]], len(first[0])
    for word in words:
        if width + 1 + len(word[0]) > WIDTH and (len(bands) > 1 or len(bands[0]) > 1):
            bands.append([[" " * indent]])
            width = indent
        bands[-1] += [[" "], word] if bands[-1][0][0].strip() or len(bands[-1]) > 1 else [word]
        width += 1 + len(word[0])
    return [_beside(*band) for band in bands]


def _equation(equation: Equation, digits: Digits) -> list[str]:
    """Return the lines of an equation, with blank ones between if a matrix takes several."""
    write = Text(digits).write
    (name,) = _joined(write(equation.left))
    indent = len(name) + 1 + len(equation.sign)
    bands: list[Block] = []
    for side in equation.sides:
        first = f"{name} {equation.sign}" if not bands else "=".rjust(indent)
        bands += _bands([first], write(side), indent + 1)
    between = "\n\n" if max(map(len, bands)) > 1 else "\n"
    lines = between.join("\n".join(band) for band in bands).split("\n")
    if (shapes := _shapes(equation, digits)) and len(lines[0]) + len(shapes) + 2 <= WIDTH:
        lines[0] = f"{lines[0]:{SHAPES_AT}}  {shapes}"
    return [line.rstrip() for line in lines]


def _shapes(equation: Equation, digits: Digits) -> str:
    """Return the shapes of the matrices of a product or a value, such as "(1, 2) @ (2, 3) = (1, 3)"."""
    if not equation.has_shapes:
        return ""
    sides = dict.fromkeys((equation.lines[0], equation.lines[-1]))
    return "# " + " = ".join(_joined(Shapes(digits).write(side))[0] for side in sides)


def _joined(words: list[Block]) -> Block:
    """Return words of one line as one."""
    return [" ".join(word[0] for word in words)]


def write(title: str, notes: list[str], sections: list[Section], digits: Digits) -> str:
    """Return the whole explanation."""
    lines = [title, "=" * len(title), "", *notes, LEGEND]
    for section in sections:
        lines += ["", "", section.title, "-" * len(section.title)]
        for part in section.parts:
            block = [part] if isinstance(part, str) else _equation(part, digits)
            lines += ["", *block]
    return "\n".join(lines)
