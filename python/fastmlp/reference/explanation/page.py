"""Explanations as a page of HTML, with formulas in MathML."""

# ruff: noqa: RUF001 - the signs of mathematics are meant

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from html import escape

from ..arrays import Array
from .formulas import is_matrix, is_negative, leftmost
from .markdown import SUMS, by
from .numbers import ELLIPSIS, Digits
from .steps import Equation, Section
from .writer import Writer, index_of

LEGEND = "⊙ multiplies number by number, ⊤ swaps rows and columns."

# Brackets are drawn, for a machine may have no font whose brackets grow.
STYLE = """
:root { color-scheme: light dark; }
body { font-family: sans-serif; line-height: 1.5; max-width: 60em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; }
h2 { font-size: 1.2em; border-bottom: 1px solid #8888; margin-top: 2em; }
p { margin: 0.5em 0; }
.equation { overflow-x: auto; padding: 0.4em 0 0.4em 2em; }
math { font-size: 1.15em; font-family: "STIX Two Math", "Latin Modern Math", "Cambria Math", "STIX Math", math; }
.lines > mtr > mtd { text-align: left; padding: 0.3em 0.1em; }
.matrix {
  margin: 0 0.25em; padding: 0 0.15em; border: solid currentColor; border-width: 0 1.5px;
  background-image: linear-gradient(currentColor, currentColor), linear-gradient(currentColor, currentColor),
    linear-gradient(currentColor, currentColor), linear-gradient(currentColor, currentColor);
  background-position: top left, top right, bottom left, bottom right;
  background-size: 0.3em 1.5px; background-repeat: no-repeat;
}
.matrix mtd { text-align: right; text-align: -webkit-right; padding: 0.2em 0.4em; }
.cases mtd { text-align: left; padding: 0.1em 0.4em; }
.shape { font-size: 0.7em; opacity: 0.7; }
"""

GREEK = {"alpha": "α", "delta": "δ", "eta": "η", "phi": "φ", "Phi": "Φ", "pi": "π"}
LETTERS = {
    "y_hat": "<mover><mi>y</mi><mo>^</mo></mover>",
    "Y_hat": "<mover><mi>Y</mi><mo>^</mo></mover>",
    "loss": "<mi>ℓ</mi>",
    "s_prime": "<mi>s′</mi>",
    ELLIPSIS: "<mo>⋯</mo>",
    **{name: f"<mi>{letter}</mi>" for name, letter in GREEK.items()},
}
SIGNS = {"=": "=", "<-": "←", "<": "&lt;", "<=": "≤", ">": "&gt;", ">=": "≥"}


class MathMl(Writer[str]):
    """Writes a tree in MathML."""

    shapes = False  # whether a matrix has its shape below

    def number(self, text: str) -> str:
        if text in (ELLIPSIS, "nan"):
            return f"<mo>{'⋯' if text == ELLIPSIS else text}</mo>"
        if text.startswith("-"):
            return f"<mrow><mo form='prefix'>−</mo>{self.number(text[1:])}</mrow>"
        digits, e, exponent = text.partition("e")
        power = exponent and f"<mo>×</mo><msup><mn>10</mn><mn>{int(exponent)}</mn></msup>".replace("<mn>-", "<mn>−")
        return f"<mrow>{self.number(digits)}{power}</mrow>" if e else f"<mn>{'∞' if text == 'inf' else text}</mn>"

    def matrix(self, matrix: Array) -> str:
        columns = [_cells(column, map(self.number, column)) for column in zip(*self.digits.rows(matrix), strict=True)]
        rows = [f"<mtr>{''.join(row)}</mtr>" for row in zip(*columns, strict=True)]
        written = f"<mtable class='matrix'>{''.join(rows)}</mtable>"
        return f"<munder>{written}<mtext class='shape'>{by(matrix, '×')}</mtext></munder>" if self.shapes else written

    def letter(self, name: str) -> str:
        letter, _, index = name.rpartition("_")
        if index.isdigit():
            return f"<msub>{self.letter(letter)}<mn>{index}</mn></msub>"
        if name in ("dloss", "dz", "dy_hat"):
            return f"<mrow><mo>∂</mo>{self.letter(name[1:])}</mrow>"
        return LETTERS.get(name) or f"<mi>{name}</mi>"

    def indexed(self, node: ast.expr, transposed: bool = False) -> str:
        name, layer = index_of(node)
        letter = f"<mrow><mi>d</mi>{self.letter(name[1:])}</mrow>" if name in ("dW", "db") else self.letter(name)
        above = ("" if layer is None else f"<mtext>[{layer}]</mtext>") + ("<mo>⊤</mo>" if transposed else "")
        return f"<msup>{letter}<mrow>{above}</mrow></msup>"

    def negative(self, operand: str) -> str:
        return f"<mrow><mo form='prefix'>−</mo>{operand}</mrow>"

    def parenthesized(self, node: ast.expr) -> str:
        return _parentheses(self.write(node))

    def operation(self, node: ast.BinOp) -> str:
        if isinstance(node.op, ast.Div) and not is_matrix(node.left):
            return f"<mfrac>{self.write(node.left)}{self.write(node.right)}</mfrac>"
        if isinstance(node.op, ast.Pow):
            return f"<msup>{self.operand(node.left, node)}{self.write(node.right)}</msup>"
        return f"<mrow>{self.operand(node.left, node)}{self._sign(node)}{self.operand(node.right, node)}</mrow>"

    def _sign(self, node: ast.BinOp) -> str:
        if isinstance(node.op, ast.MatMult):
            return "<mspace width='0.25em'/>"
        if isinstance(node.op, ast.Mult):
            dotted = isinstance(leftmost(node.right), ast.Constant) or is_negative(node.right)
            return f"<mo>{'⊙' if self.is_elementwise(node) else '·' if dotted else '&#x2062;'}</mo>"
        return f"<mo>{ {ast.Add: '+', ast.Sub: '−', ast.Div: '/'}[type(node.op)] }</mo>"

    def comparison(self, left: str, sign: str, right: str) -> str:
        return f"<mrow>{left}<mo>{SIGNS[sign]}</mo>{right}</mrow>"

    def cases(self, branches: list[tuple[str, str]], otherwise: str) -> str:
        rows = [f"<mtd>{value}</mtd><mtd><mtext>if&#xa0;</mtext>{condition}</mtd>" for value, condition in branches]
        rows.append(f"<mtd>{otherwise}</mtd><mtd><mtext>otherwise</mtext></mtd>")
        table = "".join(f"<mtr>{row}</mtr>" for row in rows)
        return f"<mrow><mo>{{</mo><mtable class='cases'>{table}</mtable></mrow>"

    def call(self, name: str, arguments: list[ast.expr]) -> str:
        inside = "<mo>,</mo>".join(map(self.write, arguments))
        if name == "exp":
            return f"<msup><mi>e</mi><mrow>{inside}</mrow></msup>"
        if name == "sqrt":
            return f"<msqrt>{inside}</msqrt>"
        if name == "abs":
            return f"<mrow><mo form='prefix'>|</mo>{inside}<mo form='postfix'>|</mo></mrow>"
        if name in SUMS:
            return f"<mrow><munder><mo>∑</mo><mtext>{SUMS[name]}</mtext></munder>{inside}</mrow>"
        return f"<mrow>{self.letter(name)}<mo>&#x2061;</mo>{_parentheses(inside)}</mrow>"


def _parentheses(inside: str) -> str:
    """Return what is inside in parentheses, which grow only where they have to: fonts give large ones wide gaps."""
    grows = "" if "<mtable" in inside or "<mfrac" in inside else " stretchy='false'"
    return f"<mrow><mo{grows}>(</mo>{inside}<mo{grows}>)</mo></mrow>"


def _cells(column: Sequence[str], written: Iterable[str]) -> list[str]:
    """Return the cells of a column, with invisible digits where a number ends too early to have its point in line."""
    fractions = [point + rest for _, point, rest in (text.partition(".") for text in column)]
    longest = "" if any("e" in text for text in column) else max(fractions, key=len)
    missing = (longest[len(fraction) :] for fraction in fractions)
    return [
        f"<mtd>{number}{f'<mphantom><mn>{rest}</mn></mphantom>' if rest else ''}</mtd>"
        for number, rest in zip(written, missing, strict=True)
    ]


def _equation(equation: Equation, digits: Digits) -> str:
    write = MathMl(digits)
    left = write.write(equation.left)
    write.shapes = equation.has_shapes
    rows = []
    for i, side in enumerate(equation.sides):
        sign = SIGNS[equation.sign if i == 0 else "="]
        cells = left if i == 0 else "", f"<mo>{sign}</mo>", write.write(side)
        rows.append(f"<mtr>{''.join(f'<mtd>{cell}</mtd>' for cell in cells)}</mtr>")
    table = f"<mtable class='lines' displaystyle='true'>{''.join(rows)}</mtable>"
    return f"<div class='equation'><math displaystyle='true'>{table}</math></div>"


def write(title: str, notes: list[str], sections: list[Section], digits: Digits) -> str:
    """Return the whole page."""
    blocks = [f"<h1>{escape(title)}</h1>", f"<p>{escape(' '.join([*notes, LEGEND]))}</p>"]
    for section in sections:
        blocks.append(f"<h2>{escape(section.title)}</h2>")
        blocks += [
            f"<p>{escape(part)}</p>" if isinstance(part, str) else _equation(part, digits) for part in section.parts
        ]
    meta = "<meta charset='utf-8'/><meta name='viewport' content='width=device-width'/>"
    head = f"{meta}<title>{escape(title)}</title><style>{STYLE}</style>"
    body = "\n".join(blocks)
    return f"<!DOCTYPE html>\n<html lang='en'>\n<head>{head}</head>\n<body>\n{body}\n</body>\n</html>\n"
