"""How the ledger tells of deployments: who deploys, what Terraform did, why it failed."""

from typing import Any

import pytest

from mlops_config.ledger.entries import Event, Lease, Reason
from mlops_config.ledger.ledger import Ledger
from mlops_config.ledger.rendering import Style, render_log, render_trace
from mlops_config.ledger.tracing import Graph, History
from mlops_config.release.record import InfrastructureRecord
from tests.ledger.drafts import ENVIRONMENT, MODEL, PROJECT, START, draft
from tests.ledger.memory import MemoryStore
from tests.orchestration.releases import release

DIGEST = f"sha256:{'ab' * 32}"
PLAN = f"sha256:{'cd' * 32}"


def infrastructure(**counts: int) -> InfrastructureRecord:
    return InfrastructureRecord(
        program="Terraform 1.11.4", directory="infra/prod", plan_digest=PLAN, **counts
    )


@pytest.fixture
def ledger() -> Ledger:
    """A deployment that failed half-way, and the same again that did not."""
    ledger = Ledger(MemoryStore(), PROJECT, MODEL, ENVIRONMENT)
    url = "https://github.com/acme/fares/actions/runs/7"
    about: dict[str, Any] = {"release": "1.2.0", "config_digest": DIGEST}
    failed = Reason(code="apply_failed", text="the apply ended half-way: 3 done\n  aws_mwaa: quota")
    lease = Lease(by="ada in acme/fares", run_url=url, until=START)
    ledger.append(draft(1, Event.DEPLOYMENT_STARTED, lease=lease, **about))
    ledger.append(
        draft(
            2,
            Event.PROVISIONED,
            outcome="failed",
            infrastructure=infrastructure(created=3),
            reasons=(failed,),
            **about,
        )
    )
    ledger.append(draft(3, Event.PROVISIONED, infrastructure=infrastructure(created=1, changed=2), **about))
    return ledger


def test_the_log_has_a_line_for_each(ledger: Ledger) -> None:
    _, started, failed, done = render_log(ledger.entries(), Style()).splitlines()
    assert started.endswith("by ada in acme/fares")
    assert "deployment_started" in started
    assert failed.endswith("the apply ended half-way: 3 done")
    assert done.endswith("1 created, 2 changed")


def test_a_release_leads_to_who_deployed_it_and_what_terraform_did(ledger: Ledger) -> None:
    made = release("1.2.0", environment=ENVIRONMENT, project=PROJECT).record
    record = made.model_copy(update={"model_name": MODEL, "config_digest": DIGEST})
    graph = Graph(History((record,), ledger.entries()))
    text = render_trace(graph.trace("1.2.0"), graph, Style())
    assert "by ada in acme/fares\n" in text
    assert "https://github.com/acme/fares/actions/runs/7\n" in text
    assert "Terraform 1.11.4: 1 created, 2 changed, plan cdcdcdcdcdcd\n" in text
    assert "because the apply ended half-way: 3 done\n" in text


def test_what_was_not_needed_is_said_to_be() -> None:
    assert infrastructure().summary == "nothing to change"
