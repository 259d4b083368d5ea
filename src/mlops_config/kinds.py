"""The four kinds of configuration file and the names they go by."""

from enum import StrEnum


class Kind(StrEnum):
    """One of the four files an environment is made of."""

    TRAINING = "training"
    INFERENCE = "inference"
    MONITORING = "monitoring"
    RETRAIN = "retrain"


def canonical_name(environment: str, kind: Kind) -> str:
    """The file's one name in bundles and images: ``<environment>_<kind>_config.yaml``."""
    return f"{environment}_{kind}_config.yaml"


def accepted_names(environment: str, kind: Kind) -> tuple[str, str]:
    """The names a source file may have in its environment's folder, the canonical one first."""
    return canonical_name(environment, kind), f"{kind}_config.yaml"
