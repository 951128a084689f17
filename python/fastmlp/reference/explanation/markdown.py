"""Explanations in Markdown, with formulas in LaTeX."""

from __future__ import annotations

import ast

from ..arrays import Array
from .formulas import is_matrix, is_negative, leftmost
from .numbers import ELLIPSIS, Digits
from .steps import Equation, Section
from .writer import Writer, index_of

LEGEND = r"$\odot$ multiplies number by number, ${}^{\top}$ swaps rows and columns."

TIMES = r" \times "
NEXT_ROW = r" \\ "

GREEK = {"alpha", "delta", "eta", "phi", "Phi", "pi"}
LETTERS = {
    "y_hat": r"\hat{y}",
    "Y_hat": r"\hat{Y}",
    "loss": r"\ell",
    "dloss": r"\partial \ell",
    "dz": r"\partial z",
    "dy_hat": r"\partial \hat{y}",
    "s_prime": "s'",
    ELLIPSIS: r"\cdots",
    **{name: rf"\{name}" for name in GREEK},
}
FUNCTIONS = {**{name: rf"\{name}" for name in ("cos", "cosh", "log", "max", "min", "sin", "tanh")}}
SUMS = {"row_sum": "row", "column_sums": "columns"}
SIGNS = {"=": "=", "<-": r"\leftarrow", "<": "<", "<=": r"\le", ">": ">", ">=": r"\ge"}


class Latex(Writer[str]):
    """Writes a tree in LaTeX."""

    shapes = False  # whether a matrix has its shape below

    def number(self, text: str) -> str:
        digits, e, exponent = text.partition("e")
        plain = {"inf": r"\infty", "-inf": r"-\infty", "nan": r"\mathrm{nan}", ELLIPSIS: r"\cdots"}.get(text, digits)
        return rf"{plain} \times 10^{{{int(exponent)}}}" if e else plain

    def matrix(self, matrix: Array) -> str:
        rows = [" & ".join(map(self.number, row)) for row in self.digits.rows(matrix)]
        written = rf"\begin{{bmatrix}} {NEXT_ROW.join(rows)} \end{{bmatrix}}"
        return rf"\underset{{{by(matrix, TIMES)}}}{{{written}}}" if self.shapes else written

    def letter(self, name: str) -> str:
        letter, _, index = name.rpartition("_")
        if index.isdigit():
            return rf"{self.letter(letter)}_{{{index}}}"
        word = name.replace("_", r"\_")
        return LETTERS.get(name, name if len(name) == 1 else rf"\mathrm{{{word}}}")

    def indexed(self, node: ast.expr, transposed: bool = False) -> str:
        name, layer = index_of(node)
        letter = rf"d{self.letter(name[1:])}" if name in ("dW", "db") else self.letter(name)
        above = ("" if layer is None else f"[{layer}]") + (r"\top" if transposed else "")
        return rf"{letter}^{{{above}}}"

    def negative(self, operand: str) -> str:
        return f"-{operand}"

    def parenthesized(self, node: ast.expr) -> str:
        return rf"\left({self.write(node)}\right)"

    def operation(self, node: ast.BinOp) -> str:
        if isinstance(node.op, ast.Div) and not is_matrix(node.left):
            return rf"\frac{{{self.write(node.left)}}}{{{self.write(node.right)}}}"
        if isinstance(node.op, ast.Pow):
            return rf"{self.operand(node.left, node)}^{{{self.write(node.right)}}}"
        return f"{self.operand(node.left, node)} {self._sign(node)} {self.operand(node.right, node)}"

    def _sign(self, node: ast.BinOp) -> str:
        if isinstance(node.op, ast.Mult):
            dotted = isinstance(leftmost(node.right), ast.Constant) or is_negative(node.right)
            return r"\odot" if self.is_elementwise(node) else r"\cdot" if dotted else r"\,"
        return {ast.Add: "+", ast.Sub: "-", ast.Div: "/", ast.MatMult: r"\,"}[type(node.op)]

    def comparison(self, left: str, sign: str, right: str) -> str:
        return f"{left} {SIGNS[sign]} {right}"

    def cases(self, branches: list[tuple[str, str]], otherwise: str) -> str:
        lines = [rf"{value} & \text{{if }} {condition}" for value, condition in branches]
        lines.append(rf"{otherwise} & \text{{otherwise}}")
        return rf"\begin{{cases}} {NEXT_ROW.join(lines)} \end{{cases}}"

    def call(self, name: str, arguments: list[ast.expr]) -> str:
        inside = ", ".join(map(self.write, arguments))
        if name == "exp":
            return f"e^{{{inside}}}"
        if name == "sqrt":
            return rf"\sqrt{{{inside}}}"
        if name == "abs":
            return rf"\left|{inside}\right|"
        if name in SUMS:
            return rf"\sum_{{\text{{{SUMS[name]}}}}} {inside}"
        if name == "sign":
            return rf"\operatorname{{sign}}\left({inside}\right)"
        return rf"{FUNCTIONS.get(name) or self.letter(name)}\left({inside}\right)"


def by(matrix: Array, times: str) -> str:
    """Return the shape of a matrix, or of a vector as that of a row, such as "2 x 3"."""
    return times.join(map(str, matrix.shape if matrix.ndim == 2 else (1, *matrix.shape)))


def _equation(equation: Equation, digits: Digits) -> str:
    write = Latex(digits)
    letters = write.write(equation.left)
    lines = []
    for i, side in enumerate(equation.sides):
        write.shapes = equation.has_shapes
        lines.append(
            f"{letters if i == 0 else ''} &{SIGNS[equation.sign if i == 0 else '=']} {write.write(side)}".strip()
        )
    body = " \\\\[0.5em]\n".join(lines)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def write(title: str, notes: list[str], sections: list[Section], digits: Digits) -> str:
    """Return the whole explanation."""
    blocks = [f"# {title}", "\n".join([*notes, LEGEND])]
    for section in sections:
        blocks.append(f"## {section.title}")
        blocks += [part if isinstance(part, str) else _equation(part, digits) for part in section.parts]
    return "\n\n".join(blocks) + "\n"
