"""Cases of the rules over what Airflow makes of a file: time limits, clocks, labels and new rows."""

from tests.contract.rules.case_types import breaks, inference, monitoring, passes, retrain, training
from tests.contract.rules.example_configs import GONE

BERLIN = "Europe/Berlin"

CASES = (
    breaks(
        "C34",
        training("orchestration.timeout", "PT3H"),
        at="prod training orchestration.timeout",
        says="write more than PT4H",
    ),
    breaks(
        "C34",
        training("orchestration.timeout", "PT4H"),
        at="prod training orchestration.timeout",
        says="the training may take PT4H",
    ),
    breaks(
        "C34",
        training("orchestration.timeout", "PT2H", "staging"),
        at="staging training orchestration.timeout",
        says="write more than PT3H",
    ),
    passes("C34", training("orchestration.timeout", "PT4H1S")),
    passes("C34", training("orchestration.timeout", None)),
    passes("C34", training("orchestration", GONE)),
    passes("C34", training("compute.max_runtime", "PT30M", "staging")),
    breaks(
        "C35",
        retrain("triggers[2].cron", "30 2 * * SUN"),
        at="prod retrain triggers[2].cron",
        says="on 2026-03-29 the clock of Europe/Berlin skips 02:00 to 03:00: Airflow starts the run of 02:30"
        " at 03:30 |",
    ),
    breaks(
        "C35",
        inference("batch.schedule", {"cron": "15 2 * * *", "timezone": BERLIN}),
        at="prod inference batch.schedule.cron",
        says="on 2026-10-25 the clock of Europe/Berlin repeats 02:00 to 03:00: Airflow starts the run of"
        " 02:15 once, the second time",
    ),
    breaks(
        "C35",
        monitoring("schedule", {"cron": "0 2,3 * * *", "timezone": BERLIN}),
        at="prod monitoring schedule.cron",
        says="starts the run of 02:00 at 03:00, and none besides",
    ),
    breaks(
        "C35",
        monitoring("schedule", {"cron": "*/20 2 * * *", "timezone": BERLIN}),
        at="prod monitoring schedule.cron",
        says="starts one of the runs from 02:00 to 02:40 at most",
    ),
    breaks(
        "C35",
        monitoring("schedule", {"cron": "10 */2 * * *", "timezone": "Australia/Lord_Howe"}),
        at="prod monitoring schedule.cron",
        says="skips 02:00 to 02:30: Airflow starts the run of 02:10 at 02:40",
    ),
    passes("C35", retrain("triggers[2].cron", "30 2 * * MON-FRI")),
    passes("C35", retrain("triggers[2].cron", "59 1 * * *")),
    passes("C35", retrain("triggers[2].cron", "0 3 * * *")),
    passes("C35", retrain("triggers[2]", {"type": "schedule", "cron": "30 2 * * *"})),
    passes("C35", monitoring("schedule", {"cron": "30 * * * *", "timezone": BERLIN})),
    passes("C35", monitoring("schedule", {"cron": "*/5 0-23 * * *", "timezone": BERLIN})),
    passes("C35", monitoring("schedule", {"cron": "40 */2 * * *", "timezone": "Australia/Lord_Howe"})),
    passes("C35", inference("batch", GONE)),
    breaks(
        "C36",
        monitoring("metrics.labels", {"team": "fares", "environment": "live"}),
        at="prod monitoring metrics.labels.environment",
        says="such as team_environment",
    ),
    breaks(
        "C36",
        monitoring("metrics.labels", {"le": "1"}),
        at="prod monitoring metrics.labels.le",
        says="have a label le already",
    ),
    passes("C36", monitoring("metrics.labels", {"env": "live", "Project": "x", "feature_set": "a"})),
    breaks(
        "X23",
        retrain("orchestration.timeout", "PT2H"),
        at="prod retrain orchestration.timeout",
        says="write more than PT4H",
    ),
    breaks(
        "X23",
        retrain("orchestration.timeout", "PT3H", "staging"),
        at="staging retrain orchestration.timeout",
        says="may take PT3H",
    ),
    passes("X23", retrain("orchestration.timeout", None)),
    passes("X23", retrain("orchestration", GONE)),
    passes(
        "X23",
        retrain("orchestration.timeout", "PT20M", "dev"),
        retrain("training.overrides", {"compute.max_runtime": "PT10M"}, "dev"),
    ),
    breaks(
        "X24",
        retrain("guards.min_new_rows", 50_000),
        at="prod retrain guards.min_new_rows",
        says="raise it above 876000",
    ),
    breaks(
        "X24",
        retrain("guards.min_new_rows", 876_000),
        at="prod retrain guards.min_new_rows",
        says="learns none of the new ones",
    ),
    passes("X24", retrain("guards.min_new_rows", 876_001)),
    passes("X24", retrain("guards.min_new_rows", 0)),
    passes("X24", retrain("guards.min_new_rows", 1), retrain("data.window", {"type": "since_last_train"})),
    passes("X24", retrain("guards.min_new_rows", 1), inference("data_capture.expected_rows_per_day", GONE)),
)
