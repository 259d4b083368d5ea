"""What single values need code for: cron expressions, IANA time zones, and durations as text.

Kept apart from the models, and free of pydantic, so that a stored core schema can name these functions and a
process that only validates need not build the model classes.
"""

from datetime import timedelta
from zoneinfo import ZoneInfo


def check_cron(value: str) -> str:
    """``value``, when it is a five-field cron expression that fires at least once.

    Raises:
        ValueError: a field is out of range, or no date matches (such as 31 February).
    """
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    if len(value.split(" ")) != 5:
        raise ValueError("a cron expression has five fields: minute, hour, day of month, month, day of week")
    try:
        next(CronSim(value, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"not a cron expression: {str(error).lower()}") from error
    except StopIteration:
        raise ValueError("a cron expression that never fires") from None
    return value


def check_timezone(value: str) -> str:
    """``value``, when it names a zone of the IANA time zone database, such as ``Europe/Berlin``.

    Raises:
        ValueError: the database has no such zone.
    """
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError) as error:
        raise ValueError(f"no such time zone in the IANA database: {value!r}") from error
    return value


def format_duration(value: timedelta) -> str:
    """``value`` as the contract writes durations: days, hours, minutes and seconds, such as ``P1DT2H``.

    Years are never used, though pydantic's own form has them: they have no fixed length.
    """
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "H"), (minutes, "M"), (seconds, "S"))
    time = "".join(f"{number}{unit}" for number, unit in parts if number)
    days = f"{value.days}D" if value.days else ""
    return f"P{days}{'T' if time else ''}{time}" if days or time else "PT0S"
