"""Findings of every sort, and hostile ones, for the tests of all formats."""

from datetime import date

from mlops_config.contract.overrides import Waived
from mlops_config.findings import Finding, Place, Related, Severity
from mlops_config.kinds import Kind
from mlops_config.report.interface import FileStatus, ReportContext
from mlops_config.settings import Waiver

TRAINING = "configs/prod/prod_training_config.yaml"
INFERENCE = "configs/prod/prod_inference_config.yaml"

TEXTS = {
    TRAINING: "kind: training\nsplit:\n  test_fraction: 20\n  stratgy: time\nenabled: no\n",
    INFERENCE: "kind: inference\nmetadata: {model_name: other}\n",
}

RANGE = Finding(
    "S04",
    Severity.ERROR,
    "`split.test_fraction` is 20; it must be below 1",
    Place(TRAINING, 3, 18, 3, 20),
    ("split", "test_fraction"),
    "a fraction is meant: 20 percent is 0.2",
    replacement="0.2",
)
UNKNOWN = Finding(
    "S02",
    Severity.ERROR,
    "`split` has no key 'stratgy'",
    Place(TRAINING, 4, 3, 4, 10),
    ("split", "stratgy"),
    "did you mean strategy?",
    replacement="strategy",
)
SPELLING = Finding(
    "Y20",
    Severity.WARNING,
    "no is text in YAML 1.2, but PyYAML (YAML 1.1) reads the boolean false",
    Place(TRAINING, 5, 10, 5, 12),
    ("enabled",),
    "write false if it is a switch, or put it in quotes if it is a text",
    replacement='"no"',
)
ACROSS = Finding(
    "X01",
    Severity.ERROR,
    "model_name is other here, but fares in the training file",
    Place(INFERENCE, 2, 24, 2, 29),
    ("metadata", "model_name"),
    related=(Related(Place(TRAINING, 1, 1, 1, 5), "fares in the training file"),),
)
MISSING = Finding(
    "F02",
    Severity.ERROR,
    "the retrain file of prod is missing",
    Place("configs/prod/prod_retrain_config.yaml"),
    hint="add prod_retrain_config.yaml",
)
ANYWHERE = Finding("W02", Severity.NOTE, "the waiver for X02 covers nothing", hint="delete it")

ALL = (ANYWHERE, ACROSS, MISSING, RANGE, UNKNOWN, SPELLING)
"""In reading order."""

WAIVED = Waived(
    Finding(
        "E03", Severity.ERROR, "estimator differs from staging", Place(TRAINING, 1, 1, 1, 5), ("estimator",)
    ),
    Waiver("E03", "trial until the review", date(2026, 12, 31)),
)

CONTEXT = ReportContext(
    texts=TEXTS,
    files=[
        FileStatus("prod", Kind.TRAINING, TRAINING, is_valid=False),
        FileStatus("prod", Kind.INFERENCE, INFERENCE, is_valid=True),
        FileStatus("prod", Kind.RETRAIN, None, is_valid=False),
    ],
    waived=[WAIVED],
)

HOSTILE_TEXT = (
    "\x1b[31m::error::pwned%0A\r\n##[add-mask]x\n| a | <script>alert(1)</script> [x](javascript:y) "
    "![i](http://e.example/i) @org/team #12 **b** `c` www.e.example https://e.example &lt; ]]> \u202e \x00"
)
HOSTILE = Finding(
    "S06",
    Severity.ERROR,
    HOSTILE_TEXT,
    Place("configs/a,b:c%0A\n::warning::x|<b>.yaml", 1, 1, 1, 2),
    ("a", HOSTILE_TEXT),
    HOSTILE_TEXT,
    (Related(Place("configs/`x`.yaml\r", 7), HOSTILE_TEXT),),
    HOSTILE_TEXT,
)


def many(number: int, severity: Severity) -> list[Finding]:
    """So many findings of one severity, each on a line of its own."""
    return [
        Finding("S04", severity, f"value {line} is wrong", Place(TRAINING, line, 1, line, 2), (f"k{line}",))
        for line in range(1, number + 1)
    ]
