"""What the tests of the modules share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.terraform import Workspace
from tests.terraform import standin as preparing
from tests.terraform.github_roles_on_aws import Roles, roles_of_prod


@pytest.fixture(scope="session")
def github_roles(
    initialised: Callable[[str], Path],
    terraform: Path,
    standin_mirror: preparing.Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Roles:
    """What each of GitHub's roles for prod may do."""
    module = initialised("modules/github_oidc/aws")
    return roles_of_prod(Workspace(module, terraform, standin_mirror), tmp_path_factory.mktemp("roles"))
