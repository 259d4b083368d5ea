"""For each rule, configurations that break it and configurations that come close and do not.

The first breaking case of a rule is the example on its page in docs/rules.
"""

from datetime import date

from tests.contract.rules import (
    across_cases,
    environment_cases,
    further_across_cases,
    orchestrating_cases,
    serving_cases,
    training_cases,
)
from tests.contract.rules.case_types import Breaking, Case, Passing

CASES: tuple[Case, ...] = (
    *training_cases.CASES,
    *serving_cases.CASES,
    *across_cases.CASES,
    *further_across_cases.CASES,
    *environment_cases.CASES,
    *orchestrating_cases.CASES,
)
BREAKING = tuple(case for case in CASES if isinstance(case, Breaking))
PASSING = tuple(case for case in CASES if isinstance(case, Passing))
TODAY = date(2026, 1, 15)
"""The day the cases are looked at."""
