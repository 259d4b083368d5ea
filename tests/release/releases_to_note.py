"""Two releases of one environment for the tests of notes: the second changes what people change."""

import copy
import hashlib
from datetime import UTC, datetime

from mlops_config.kinds import Kind, canonical_name
from mlops_config.release.record import (
    BundleLocation,
    FileRecord,
    ImageRecord,
    PreviousRelease,
    ReleaseRecord,
    SourceRecord,
    ToolRecord,
)

OLD_COMMIT = "1f0e3dad99908345f7439f8ffabdffc4b1dbe5a1"
NEW_COMMIT = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

PSI = {"method": "psi", "threshold": 0.2, "direction": "above", "bins": 10}

OLD = {
    Kind.TRAINING: {
        "schema": {
            "features": [{"name": "distance_km", "type": "fractional"}, {"name": "zone", "type": "string"}],
            "target": {"name": "fare_eur", "problem_type": "regression"},
        },
        "estimator": {
            "name": "hist_gradient_boosting_regressor",
            "hyperparameters": {"learning_rate": 0.08, "max_iter": 300},
        },
        "evaluation": {"metrics": ["rmse", "r2"]},
        "tuning": None,
        "random_seed": 7,
    },
    Kind.INFERENCE: {
        "deployer": {"target": "aws", "role": "secret://sagemaker-role"},
        "service_level": {
            "p95_latency_ms": 400.0,
            "error_rate_max_fraction": 0.005,
            "availability_percent": 99.9,
        },
    },
    Kind.MONITORING: {
        "enabled": True,
        "drift": {
            "numeric": dict(PSI),
            "categorical": dict(PSI),
            "features": {},
            "drift_share_fraction": 0.3,
            "important_features": ["distance_km"],
        },
        "prediction_drift": {"enabled": True, "numeric": dict(PSI)},
        "quality": {"completeness_min_fraction": 0.99, "freshness_max_age": "PT12H"},
        "performance": {"thresholds": {"rmse": {"threshold": 3.0}}},
        "violation_policy": {"evaluation_windows": 4, "violation_windows": 3, "newest_must_violate": True},
        "alerts": [
            {
                "name": "fare-errors",
                "signal": "errors",
                "op": None,
                "threshold": None,
                "for": "PT5M",
                "severity": "page",
                "runbook_url": "https://runbooks.example.com/fares/errors",
            },
            {
                "name": "fare-drift",
                "signal": "drift",
                "op": None,
                "threshold": None,
                "for": "PT0S",
                "severity": "ticket",
                "runbook_url": None,
                "feature": None,
            },
        ],
    },
    Kind.RETRAIN: {
        "triggers": [{"type": "drift"}, {"type": "schedule", "cron": "0 2 1 * *"}],
        "promotion": {"mode": "manual", "approvers": ["@acme/fares-leads"]},
    },
}


def _changed():
    new = copy.deepcopy(OLD)
    new[Kind.TRAINING]["estimator"]["hyperparameters"] |= {"learning_rate": 0.04, "max_iter": 600}
    new[Kind.TRAINING]["evaluation"]["metrics"] = ["rmse", "mae", "r2"]
    new[Kind.TRAINING]["tuning"] = {"strategy": "random", "max_trials": 20, "space": None}
    new[Kind.INFERENCE]["service_level"]["p95_latency_ms"] = 300.0
    new[Kind.MONITORING]["drift"]["numeric"]["threshold"] = 0.15
    new[Kind.MONITORING]["quality"]["freshness_max_age"] = "PT6H"
    latency = new[Kind.MONITORING]["alerts"][0] | {
        "name": "fare-latency",
        "signal": "latency",
        "for": "PT10M",
        "runbook_url": "https://runbooks.example.com/fares/latency",
    }
    rmse = new[Kind.MONITORING]["alerts"][1] | {
        "name": "fare-rmse",
        "signal": "performance",
        "metric": "rmse",
    }
    new[Kind.MONITORING]["alerts"] = [new[Kind.MONITORING]["alerts"][0], latency, rmse]
    return new


NEW = _changed()


def digest(text):
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def record(**changes):
    """Release 1.2.0 of prod, built, pushed and published to two stores."""
    given = {
        "project": "city-taxi",
        "model_name": "trip-fare",
        "environment": "prod",
        "version": "1.2.0",
        "config_digest": digest("c"),
        "files": tuple(file_record(kind, "abcd"[index], "0123"[index]) for index, kind in enumerate(Kind)),
        "source": SourceRecord(
            repository="acme/fares",
            commit=NEW_COMMIT,
            ref="refs/tags/release/v1.2.0",
            dirty=False,
            actor="octo-operator",
            run_url="https://github.com/acme/fares/actions/runs/42",
        ),
        "created_at": datetime(2026, 11, 22, 21, 35, 50, tzinfo=UTC),
        "tool": ToolRecord(version="1.0.0"),
        "image": ImageRecord(
            repository="ghcr.io/acme/city-taxi-prod",
            tags=(NEW_COMMIT, "1.2.0-prod"),
            config_digest=digest("e"),
            digest=digest("d"),
            base="scratch",
            base_digest=None,
            pushed=True,
        ),
        "bundles": (
            BundleLocation(
                store="s3://acme-ml/configs",
                uri=f"s3://acme-ml/configs/city-taxi/bundles/{digest('c').replace(':', '/')}",
            ),
            BundleLocation(
                store="oci://ghcr.io/acme/configs", uri=f"oci://ghcr.io/acme/configs/city-taxi@{digest('f')}"
            ),
        ),
        "previous": PreviousRelease(name="1.1.0", commit=OLD_COMMIT, config_digest=digest("b")),
    }
    return ReleaseRecord.model_validate(given | changes)


def file_record(kind, data, meaning, environment="prod"):
    name = canonical_name(environment, kind)
    return FileRecord(
        kind=kind,
        name=name,
        source=f"configs/{environment}/{name}",
        size=1200 + len(kind) * 97,
        sha256=digest(data),
        semantic_sha256=digest(meaning),
    )


def earlier_record():
    """Release 1.1.0 of prod: the retrain file differs in its layout only, the inference file not at all."""
    files = (
        file_record(Kind.TRAINING, "9", "9"),
        file_record(Kind.INFERENCE, "b", "9"),
        file_record(Kind.MONITORING, "9", "8"),
        file_record(Kind.RETRAIN, "9", "3"),
    )
    return record(version="1.1.0", config_digest=digest("b"), files=files, previous=None)
