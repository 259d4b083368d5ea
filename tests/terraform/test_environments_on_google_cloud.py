"""The roots on Google Cloud with the example's releases, planned and applied against the stand-in."""

import json
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mlops_config.contract.validation import EnvironmentConfigs, validate
from mlops_config.infrastructure.variables import FILE_NAME, ReleaseVariables
from mlops_config.release.record import ImageRecord
from mlops_config.settings import load_settings
from tests.infrastructure.releases import record_of
from tests.orchestration.releases import digest
from tests.services.terraform import Workspace
from tests.terraform import standin as preparing
from tests.terraform.google_permissions import DATA_NEEDS, NEEDS, ROLES
from tests.terraform.policies import too_much_granted

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ("dev", "staging", "prod")
OWN = {"terraform.tfvars"}
"""What an environment's root has of its own: where it lies and how large it is."""
KINDS = ("plan", "publish", "deploy", "rollback")


class Applied(NamedTuple):
    """A root module that was applied."""

    workspace: Workspace
    resources: dict[str, dict[str, Any]]
    """Each managed resource by its address, with ``type`` and ``values``."""
    outputs: dict[str, Any]

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """The values of a type's resources."""
        return {at: each["values"] for at, each in self.resources.items() if each["type"] == kind}


@cache
def example(environment: str) -> EnvironmentConfigs:
    """An environment of the example on Google Cloud."""
    settings = load_settings(ROOT, ROOT / "examples" / "gcp" / "mlops-config.yaml")
    return validate(ROOT, settings, settings.environments).environment(environment)


def variables(environment: str) -> ReleaseVariables:
    """The variables of its release."""
    image = ImageRecord(
        repository=f"europe-west4-docker.pkg.dev/acme-ml-{environment}/city-taxi-trip-fare-{environment}"
        f"/city-taxi-trip-fare-{environment}",
        tags=("1",),
        config_digest=digest("image id"),
        digest=digest("manifest"),
        base="scratch",
        base_digest=None,
        pushed=True,
    )
    configs = example(environment)
    return ReleaseVariables.of(record_of(configs, image=image), configs)


def staged(
    folder: Path, where: str, terraform: Path, mirror: preparing.Environment, release: str | None = None
) -> Workspace:
    """A root module, with a release where it takes one, and what its modules take of a checkout."""
    for name in ("dags", "docker", "requirements"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    root = preparing.stage(ROOT / "terraform", folder / "terraform") / where
    if release is not None:
        (root / FILE_NAME).write_bytes(variables(release).to_json())
    return Workspace(root, terraform, mirror.with_cloud(folder / "cloud"))


def applied(workspace: Workspace) -> Applied:
    """The root module after ``init`` and ``apply``."""
    workspace.done("init", "-input=false")
    workspace.done("apply", "-input=false", "-auto-approve")
    state = json.loads(workspace.done("show", "-json"))["values"]
    resources = {
        each["address"]: each for each in _resources(state["root_module"]) if each["mode"] == "managed"
    }
    return Applied(workspace, resources, {name: each["value"] for name, each in state["outputs"].items()})


def _resources(module: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from _resources(child)


@pytest.fixture(scope="module")
def dev(
    terraform: Path, standin_mirror: preparing.Environment, tmp_path_factory: pytest.TempPathFactory
) -> Applied:
    """The example's dev, applied."""
    folder = tmp_path_factory.mktemp("google")
    return applied(staged(folder, "environments/dev/gcp", terraform, standin_mirror, release="dev"))


@pytest.fixture(scope="module")
def bootstrap(
    terraform: Path, standin_mirror: preparing.Environment, tmp_path_factory: pytest.TempPathFactory
) -> Applied:
    """The project of dev, bootstrapped."""
    return applied(staged(tmp_path_factory.mktemp("bootstrap"), "bootstrap/gcp", terraform, standin_mirror))


def test_the_roots_differ_in_their_settings_and_their_own_name_only() -> None:
    def files(environment: str) -> dict[str, str]:
        root = ROOT / "terraform" / "environments" / environment / "gcp"
        return {
            str(path.relative_to(root)): _without_names(path.read_text("utf-8"), environment)
            for path in root.rglob("*")
            if path.is_file() and path.name not in OWN and not _is_left_over(path)
        }

    dev, staging, prod = (files(environment) for environment in ENVIRONMENTS)
    assert dev == staging == prod
    assert {"main.tf", "variables.tf", "release.tf", "backend.hcl.example"} <= set(dev)


def _without_names(text: str, environment: str) -> str:
    """The text without its environment's name, and without the other one's whose project a test refuses."""
    text = text.replace(json.dumps(ENVIRONMENTS), "all of them")
    others = "|".join(each for each in ENVIRONMENTS if each != environment)
    return re.sub(rf"acme-ml-({others})\b", "another", text).replace(environment, "…")


def _is_left_over(path: Path) -> bool:
    """What a run of Terraform or of ``deploy`` in the checkout leaves."""
    return ".terraform" in str(path) or path.name == FILE_NAME or "tfstate" in path.name


def test_a_second_plan_finds_nothing_to_do(dev: Applied) -> None:
    finished = dev.workspace.run("plan", "-input=false", "-detailed-exitcode")
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_deploy_is_told_where_airflow_is(dev: Applied) -> None:
    assert dev.outputs["airflow_url"].startswith("https://")
    assert dev.outputs["dags_folder"] == "gs://acme-ml-dev-city-taxi-trip-fare-dev-airflow/dags"
    assert dev.outputs["store_uri"] == "gs://acme-ml-dev-city-taxi-trip-fare-dev"


def test_each_alert_is_a_policy_that_relies_on_no_recording(dev: Applied) -> None:
    policies = dev.of("google_monitoring_alert_policy")
    release = variables("dev").config
    assert {values["display_name"] for values in policies.values()} == {
        f"{name} (dev)" for name in release.alerts
    }
    for values in policies.values():
        query = values["conditions"][0]["condition_prometheus_query_language"][0]["query"]
        assert not [name for name in release.recording_rules if name in query]
        assert values["notification_channels"]


def test_jobs_are_told_the_account_that_was_made(dev: Applied) -> None:
    address = "module.environment.module.airflow[0].google_secret_manager_secret_version.connection"
    extra = json.loads(dev.resources[address]["values"]["secret_data"])["extra"]
    account = dev.outputs["execution_role"]
    assert account == "city-taxi-trip-fare-dev-model@acme-ml-dev.iam.gserviceaccount.com"
    assert extra["variables"]["MLOPS_SECRET_VERTEX_SERVICE_ACCOUNT_DEV"] == account
    assert extra["variables"]["MLOPS_STORE"] == dev.outputs["store_uri"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_jobs_are_told_where_their_metrics_go(environment: str) -> None:
    """Monitoring that is not told fails; other jobs go on unseen."""
    plan = json.loads((ROOT / "tests/terraform/golden" / f"{environment}-gcp.json").read_text("utf-8"))
    address = "module.environment.module.airflow[0].google_secret_manager_secret_version.connection"
    told = plan["resources"][address]["secret_data"]["JSON"]["extra"]["variables"]

    assert example(environment).monitoring.metrics.transport == "pushgateway"
    assert environment in told["MLOPS_PUSHGATEWAY_URL"]


def test_who_reads_and_writes_data_is_said_key_by_key(dev: Applied) -> None:
    grants = {
        (values["condition"][0]["title"], values["member"].split("@")[0].removeprefix("serviceAccount:"))
        for at, values in dev.of("google_storage_bucket_iam_member").items()
        if "model_endpoint_roles" in at
    }
    airflow, model = "city-taxi-tri", "city-taxi-trip-fare-dev-model"
    release = variables("dev").config
    wanted = {f"read {key}" for key in release.reads} | {f"write {key}" for key in release.writes}
    assert {title for title, who in grants if who.startswith(airflow) and who != model} == wanted
    assert {title for title, who in grants if who == model} == {
        "write inference.data_capture.destination_uri"
    }


def test_nobody_is_everybody_and_nobody_an_owner(dev: Applied, bootstrap: Applied) -> None:
    """With what is known after an apply only; ``test_policies`` looks at the plans."""
    resources = [*dev.resources.items(), *bootstrap.resources.items()]

    assert [line for at, each in resources for line in too_much_granted(at, each["values"])] == []


def test_rights_to_administer_are_given_with_a_condition(bootstrap: Applied) -> None:
    administrators = {
        address: values
        for address, values in bootstrap.of("google_project_iam_member").items()
        if values["role"].endswith(
            ("Admin", "Accessor", "objectUser", "objectViewer", "Buckets", "Keys", "Versions")
        )
    }
    assert len(administrators) >= 10
    assert [address for address, values in administrators.items() if not values["condition"]] == []


def test_workflows_may_do_what_an_environment_takes(dev: Applied, bootstrap: Applied) -> None:
    """The permissions of every type of resource are in the roles that bootstrap/gcp gives the accounts."""
    kinds = {each["type"] for each in dev.resources.values()} - {"terraform_data"}
    assert kinds <= set(NEEDS), "a type of resource was added: say what it takes"
    needs = [*NEEDS.values(), *DATA_NEEDS.values()]
    read, write, remove = ({each for need in needs for each in need[at]} for at in range(3))
    may = {kind: _allowed(bootstrap, bootstrap.outputs["workflows"]["dev"][kind]) for kind in KINDS}

    assert sorted(read - may["plan"]) == []
    assert sorted((read | write | remove) - may["deploy"]) == []
    assert sorted((read | write) - may["rollback"]) == []
    changes = {each for each in write | remove if not each.endswith(".get")}
    assert sorted((remove - write) & may["rollback"]) == []
    assert sorted(changes & (may["plan"] | may["publish"])) == []


def _allowed(bootstrap: Applied, member: str) -> set[str]:
    """The permissions of a member's roles in the project; roles that are relied on for none are left out."""
    own = {
        each["name"]: each["permissions"] for each in bootstrap.of("google_project_iam_custom_role").values()
    }
    given = {
        each["role"]
        for each in bootstrap.of("google_project_iam_member").values()
        if each["member"] == member
    }
    return {permission for role in given for permission in own.get(role) or ROLES[role]}


def test_whoever_deploys_may_give_the_roles_that_are_given_and_no_others(
    dev: Applied, bootstrap: Applied
) -> None:
    grants = bootstrap.resources['module.github_oidc.google_project_iam_member.grants["dev deploy"]']
    expression = grants["values"]["condition"][0]["expression"]
    grantable = set(re.findall(r"'(roles/[^']+)'", expression))
    assert {values["role"] for values in dev.of("google_project_iam_member").values()} == grantable
    keys = {values["role"] for values in dev.of("google_kms_crypto_key_iam_member").values()}
    assert keys == {"roles/cloudkms.cryptoKeyEncrypterDecrypter"}


def test_what_is_made_is_called_what_deploying_may_change(dev: Applied, bootstrap: Applied) -> None:
    def prefixes(name: str) -> list[str]:
        grant = bootstrap.resources[f'module.github_oidc.google_project_iam_member.{name}["dev deploy"]']
        return re.findall(
            r'startsWith\("projects/_/buckets/([^"]+)"\)', grant["values"]["condition"][0]["expression"]
        )

    buckets = {values["name"] for values in dev.of("google_storage_bucket").values()}
    assert len(buckets) == 3
    assert all(name.startswith(tuple(prefixes("buckets"))) for name in buckets)
    shared = {
        values["bucket"]
        for kind in ("google_storage_bucket_iam_member", "google_storage_bucket_iam_policy")
        for values in dev.of(kind).values()
    }
    assert "acme-ml-dev-city-taxi-data" in shared, "the data that the files name"
    assert [name for name in sorted(shared) if not name.startswith(tuple(prefixes("buckets")))] == []
    with_objects = {values["bucket"] for values in dev.of("google_storage_bucket_object").values()}
    assert all(
        name.startswith(tuple(prefixes("dags"))) and name.endswith("-airflow") for name in with_objects
    )


def test_whoever_applies_may_share_data_that_is_called_otherwise(bootstrap: Applied) -> None:
    words = ("-input=false", "-no-color", '-var=data_buckets=["acme-trips"]')
    planned = bootstrap.workspace.done("plan", *words)
    assert planned.count(r'"resource.name == \"projects/_/buckets/acme-trips\""') == 2, "deploy and rollback"


def test_workflows_see_the_two_secrets_that_terraform_writes_and_no_others(
    dev: Applied, bootstrap: Applied
) -> None:
    written = {
        values["secret"].rpartition("/")[2]
        for values in dev.of("google_secret_manager_secret_version").values()
    }
    assert len(written) == 2
    of_people = {
        "mlops-city-taxi-trip-fare-dev-chat",
        "mlops-city-taxi-trip-fare-dev-of-connections-mlops_dev",
    }
    of_others = {"airflow-connections-mlops_dev", "airflow-city-taxi-trip-fare-prod-connections-mlops_prod"}
    for grant in ('connections["dev plan"]', 'connections["dev deploy"]', 'versions["dev rollback"]'):
        resource = bootstrap.resources[f"module.github_oidc.google_project_iam_member.{grant}"]
        expression = resource["values"]["condition"][0]["expression"]
        begins = tuple(re.findall(r'\.startsWith\("([^"]+)"\)', expression))
        ends = tuple(re.findall(r'\.endsWith\("([^"]+)"\)', expression))
        seen = {
            name
            for name in written | of_people | of_others
            if name.startswith(begins) and name.endswith(ends)
        }
        assert seen == written


def test_bootstrap_says_what_the_root_has(bootstrap: Applied) -> None:
    settings = (ROOT / "terraform/environments/dev/gcp/terraform.tfvars").read_text("utf-8")
    assert set(bootstrap.outputs["workflows"]["dev"].values()) == set(
        re.findall(r'"(serviceAccount:[^"]+)"', settings)
    )
    backend = (ROOT / "terraform/environments/dev/gcp/backend.hcl.example").read_text("utf-8")
    assert bootstrap.outputs["backend"]["dev"] == dict(
        re.findall(r'^(\w+) *= "(.+)"$', backend, re.MULTILINE)
    )
