"""Draw the badges of the README from facts that tests hold (tests/test_badges.py, tests/test_estimators.py).

python docs/make_badges.py
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "badges"

# Of scikit-learn's check_estimator with default parameters, from version 1.9 on.
CHECKS = {"MLPClassifier": 66, "MLPRegressor": 60}
WHEEL_MB = 1.4

FACTS = {
    "checks": ("scikit-learn's checks", f"{sum(CHECKS.values())} passed, 0 failed"),
    "wheel": ("wheel", f"{WHEEL_MB} MB"),
    "needs": ("needs", "NumPy and safetensors alone"),
    "python": ("Python", "3.10 or newer"),
}

BADGE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{name}: {fact}">
<title>{name}: {fact}</title>
<clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#444"/>\
<rect x="{left}" width="{right}" height="20" fill="#0072B2"/></g>
<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
<text x="{name_at}" y="14" textLength="{name_length}">{name}</text>
<text x="{fact_at}" y="14" textLength="{fact_length}">{fact}</text>
</g>
</svg>
"""


def badge(name: str, fact: str) -> str:
    """Return a badge as SVG. Browsers have different fonts, so that the lengths of the texts are set."""
    name_length, fact_length = (round(6.3 * len(text)) for text in (name, fact))
    left, right = name_length + 12, fact_length + 12
    return BADGE.format(
        name=name,
        fact=fact,
        width=left + right,
        left=left,
        right=right,
        name_at=left / 2,
        fact_at=left + right / 2,
        name_length=name_length,
        fact_length=fact_length,
    )


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for key, (name, fact) in FACTS.items():
        (FOLDER / f"{key}.svg").write_text(badge(name, fact), encoding="utf-8")


if __name__ == "__main__":
    main()
