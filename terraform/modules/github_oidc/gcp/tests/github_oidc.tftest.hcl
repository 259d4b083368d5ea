mock_provider "google" {
  mock_resource "google_iam_workload_identity_pool" {
    defaults = { name = "projects/111122223333/locations/global/workloadIdentityPools/city-taxi" }
  }
  mock_resource "google_service_account" {
    defaults = {
      name   = "projects/acme-ml-dev/serviceAccounts/github@acme-ml-dev.iam.gserviceaccount.com"
      email  = "github@acme-ml-dev.iam.gserviceaccount.com"
      member = "serviceAccount:github@acme-ml-dev.iam.gserviceaccount.com"
    }
  }
}

variables {
  name       = "city-taxi"
  labels     = { team = "fares" }
  project_id = "acme-ml-dev"
  repository = { owner = "acme", owner_id = "5550001", name = "city-taxi", id = "77700042" }
  environments = {
    dev  = { publish_refs = ["refs/heads/main"] }
    prod = { publish_refs = ["refs/tags/release/v[0-9]+[.][0-9]+[.][0-9]+"] }
  }
  state           = { bucket = "acme-ml-dev-terraform-state", prefix = "city-taxi" }
  bucket_prefixes = ["acme-ml-dev-"]
}

run "lets_in_one_repository_and_each_run_to_what_it_needs" {
  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].attribute_condition == "assertion.repository_id == '77700042' && assertion.repository_owner_id == '5550001'"
    error_message = "Names can be taken over, numbers cannot; both forms of sub carry them."
  }
  assert {
    condition     = !strcontains(join(" ", values(google_iam_workload_identity_pool_provider.github[0].attribute_mapping)), "assertion.sub")
    error_message = "sub has two forms and decides nothing."
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].oidc[0].issuer_uri == "https://token.actions.githubusercontent.com"
    error_message = "GitHub's tokens and no others."
  }
  assert {
    condition     = alltrue([for expression in values(google_iam_workload_identity_pool_provider.github[0].attribute_mapping) : length(expression) <= 2048])
    error_message = "Google takes expressions of 2048 letters."
  }
  assert {
    condition     = output.provider == "projects/111122223333/locations/global/workloadIdentityPools/city-taxi/providers/github"
    error_message = "google-github-actions/auth needs the provider's full name."
  }

  # Gives each environment four accounts.
  assert {
    condition     = length(google_project_iam_custom_role.data) == 0 && length(google_project_iam_member.data) == 0
    error_message = "Nobody may share data that is not named."
  }
  assert {
    condition     = toset([for each in google_service_account.this : each.account_id]) == toset(flatten([for name in ["dev", "prod"] : [for kind in ["plan", "publish", "deploy", "rollback"] : "city-taxi-${name}-${kind}"]]))
    error_message = "plan, publish, deploy and rollback of each environment."
  }
  assert {
    condition     = toset(keys(output.roles)) == toset(["dev", "prod"]) && toset(keys(output.roles.dev)) == toset(["plan", "publish", "deploy", "rollback"])
    error_message = "roles has the four accounts of each environment."
  }
  assert {
    condition     = output.members.prod.deploy == "serviceAccount:city-taxi-prod-deploy@acme-ml-dev.iam.gserviceaccount.com" && google_project_iam_member.grants["prod deploy"].member == output.members.prod.deploy
    error_message = "Grants go to the accounts that are made."
  }

  # Opens each account to its own runs only.
  assert {
    condition = (
      google_service_account_iam_member.github["prod deploy"].member == "principalSet://iam.googleapis.com/projects/111122223333/locations/global/workloadIdentityPools/city-taxi/attribute.runs_in/77700042:prod"
      && google_service_account_iam_member.github["prod rollback"].member == google_service_account_iam_member.github["prod deploy"].member
    )
    error_message = "Deploying and going back take the GitHub environment, with its reviewers."
  }
  assert {
    condition     = endswith(google_service_account_iam_member.github["prod publish"].member, "/attribute.publishes/77700042:prod")
    error_message = "Publishing takes the environment and a ref that may publish to it."
  }
  assert {
    condition     = alltrue([for each in google_service_account_iam_member.github : strcontains(each.member, "/77700042:") && !endswith(each.member, ":") && !strcontains(each.member, "*")])
    error_message = "Every entry names the repository and a value."
  }
  assert {
    condition     = alltrue([for each in google_service_account_iam_member.github : each.role == "roles/iam.workloadIdentityUser"])
    error_message = "No account may make tokens of others."
  }
  assert {
    condition     = toset([for key, each in google_service_account_iam_member.github : key if strcontains(each.member, "attribute.plans/")]) == toset(["dev plan of pull requests", "dev plan of own refs", "prod plan of pull requests", "prod plan of own refs"])
    error_message = "Without a GitHub environment nobody does more than plan."
  }

  # Publishes from named refs and events.
  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].attribute_mapping["attribute.publishes"] == "assertion.repository_id + ':' + (assertion.event_name in ['push', 'workflow_dispatch'] ? ((has(assertion.environment) ? assertion.environment : '') == 'dev' && assertion.ref.matches('^(refs/heads/main)$') ? 'dev' : (has(assertion.environment) ? assertion.environment : '') == 'prod' && assertion.ref.matches('^(refs/tags/release/v[0-9]+[.][0-9]+[.][0-9]+)$') ? 'prod' : '') : '')"
    error_message = "Each environment is published to from its own refs, by a push or by hand."
  }

  # Plans for pull requests, merge queues and refs of its own.
  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].attribute_mapping["attribute.plans"] == "assertion.repository_id + ':' + (assertion.event_name in ['pull_request', 'merge_group'] ? 'pull_request' : assertion.event_name in ['push', 'schedule', 'workflow_dispatch', 'repository_dispatch'] && assertion.ref.matches('^(refs/heads/main|refs/tags/release/v[0-9]+[.][0-9]+[.][0-9]+)$') ? 'own_ref' : '')"
    error_message = "Any other branch plans in a pull request and its merge queue only."
  }

  # Lets no pull request deploy.
  assert {
    condition     = google_iam_workload_identity_pool_provider.github[0].attribute_mapping["attribute.runs_in"] == "assertion.repository_id + ':' + (assertion.event_name in ['push', 'schedule', 'workflow_dispatch', 'repository_dispatch'] ? (has(assertion.environment) ? assertion.environment : '') : '')"
    error_message = "A pull request that names a GitHub environment is still one."
  }

  # Plans without changing anything.
  assert {
    condition     = alltrue([for permission in google_project_iam_custom_role.this["Read"].permissions : can(regex("\\.(get|list|getIamPolicy|downloadArtifacts)$", permission))])
    error_message = "Planning is reading."
  }
  assert {
    condition     = toset([for key in keys(google_project_iam_member.role) : key if strcontains(key, "plan")]) == toset(["dev plan Read", "prod plan Read"])
    error_message = "plan has the role Read and no other."
  }
  assert {
    condition     = !anytrue([for each in [google_project_iam_member.buckets, google_project_iam_member.grants, google_project_iam_member.keys] : contains(keys(each), "dev plan")])
    error_message = "plan gives no rights away."
  }
  assert {
    condition     = google_storage_bucket_iam_member.state["dev plan"].role == "roles/storage.objectViewer" && endswith(google_storage_bucket_iam_member.lock["dev plan"].condition[0].expression, "resource.name.endsWith(\".tflock\")")
    error_message = "plan reads the state and writes its lock."
  }

  # Rolls back without removing anything.
  assert {
    condition     = !contains(keys(google_project_iam_member.role), "prod rollback Remove") && contains(keys(google_project_iam_member.role), "prod rollback Change")
    error_message = "A rollback changes and never removes."
  }
  assert {
    condition     = !anytrue([for permission in google_project_iam_custom_role.this["Change"].permissions : can(regex("delete|destroy", permission))])
    error_message = "Nothing in Change removes."
  }
  # The release gone back to is a version that follows; the one before goes.
  assert {
    condition = (
      keys(google_project_iam_member.versions) == ["dev rollback", "prod rollback"] &&
      google_project_iam_member.versions["prod rollback"].condition[0].expression == google_project_iam_member.connections["prod rollback"].condition[0].expression &&
      google_project_iam_custom_role.versions.permissions == toset(["secretmanager.versions.destroy", "secretmanager.versions.disable"])
    )
    error_message = "A rollback cannot replace what Airflow is told, or something else too."
  }

  # Deploys with narrow rights.
  assert {
    condition = !anytrue(flatten([for each in google_project_iam_custom_role.this : [
      for permission in each.permissions : can(regex("getAccessToken|signBlob|signJwt|serviceAccountKeys|implicitDelegation|projects.setIamPolicy|cryptoKeyVersions.(destroy|use)|versions.access|storage.objects", permission))
    ]]))
    error_message = "No role makes tokens or keys of others, gives rights in the project, destroys keys, or reads what is stored."
  }
  assert {
    condition     = alltrue([for each in google_project_iam_member.grants : each.role == "roles/resourcemanager.projectIamAdmin" && each.condition[0].expression == "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['roles/aiplatform.user', 'roles/composer.user', 'roles/composer.worker', 'roles/logging.logWriter', 'roles/monitoring.metricWriter'])"])
    error_message = "Only roles that the modules grant can be given."
  }
  assert {
    condition     = google_project_iam_member.buckets["dev deploy"].condition[0].expression == "resource.name.startsWith(\"projects/_/buckets/acme-ml-dev-\")"
    error_message = "Only its own buckets are changed."
  }
  assert {
    condition     = toset([for each in google_project_iam_member.role : split("/", each.role)[0]]) != toset(["roles"]) && !contains([for each in google_project_iam_member.role : each.role], "roles/editor")
    error_message = "No basic roles."
  }
  assert {
    condition     = google_storage_bucket_iam_member.state["prod deploy"].condition[0].expression == "resource.name == \"projects/_/buckets/acme-ml-dev-terraform-state\" || resource.name.startsWith(\"projects/_/buckets/acme-ml-dev-terraform-state/objects/city-taxi/prod/\")"
    error_message = "The state of one environment is closed to another's accounts."
  }
  assert {
    condition     = !contains(keys(google_storage_bucket_iam_member.state), "prod publish")
    error_message = "Publishing has nothing to do with the state."
  }
  assert {
    condition = google_project_iam_member.connections["dev plan"].condition[0].expression == join("", [
      "resource.name.extract(\"/secrets/{name}/\").startsWith(\"airflow-city-taxi-\") && (",
      "resource.name.extract(\"/secrets/{name}/\").endsWith(\"-connections-mlops_dev\") || ",
      "resource.name.extract(\"/secrets/{name}/\").endsWith(\"-variables-mlops_dev_release\"))",
    ])
    error_message = "Secrets of jobs stay closed."
  }
  assert {
    condition     = google_project_iam_member.dags["dev plan"].role == "roles/storage.objectViewer" && google_project_iam_member.dags["dev deploy"].role == "roles/storage.objectUser" && alltrue([for each in google_project_iam_member.dags : strcontains(each.condition[0].expression, ".endsWith(\"-airflow\")") && strcontains(each.condition[0].expression, "projects/_/buckets/acme-ml-dev-")])
    error_message = "Objects are changed in Airflow's bucket only."
  }
}

run "keeps_pull_requests_out_when_told" {
  variables {
    plan_pull_requests = false
  }
  assert {
    condition     = !anytrue([for each in google_service_account_iam_member.github : strcontains(each.member, "pull_request")])
    error_message = "No pull request plans."
  }
}

run "opens_a_store_and_a_repository_that_are_there" {
  variables {
    store            = { bucket = "acme-releases", prefix = "configs" }
    image_repository = "projects/acme-images/locations/europe-west4/repositories/city-taxi"
  }
  assert {
    condition     = toset([for each in google_storage_bucket_iam_member.store_create : each.role]) == toset(["roles/storage.objectCreator"]) && !contains(keys(google_storage_bucket_iam_member.store_create), "dev plan")
    error_message = "Whoever writes creates and replaces nothing."
  }
  assert {
    condition     = endswith(google_storage_bucket_iam_member.store_pointer["prod publish"].condition[0].expression, "resource.name.endsWith(\"/environments/prod/current.json\")") && !contains(keys(google_storage_bucket_iam_member.store_pointer), "prod deploy")
    error_message = "Only the pointer of one's own environment moves, and a deployment moves none."
  }
  assert {
    condition     = google_artifact_registry_repository_iam_member.images["dev publish"].role == "roles/artifactregistry.writer" && google_artifact_registry_repository_iam_member.images["dev deploy"].role == "roles/artifactregistry.reader"
    error_message = "Only publishing pushes."
  }
}

run "uses_a_pool_that_is_there" {
  variables {
    create_provider = false
    pool            = "projects/111122223333/locations/global/workloadIdentityPools/github"
  }
  assert {
    condition     = length(google_iam_workload_identity_pool.github) == 0 && length(google_iam_workload_identity_pool_provider.github) == 0 && strcontains(google_service_account_iam_member.github["dev deploy"].member, "workloadIdentityPools/github/attribute.runs_in/")
    error_message = "Nothing is made twice."
  }
}

run "lets_in_chosen_workflows_only" {
  variables {
    job_workflow_refs = ["acme/mlops-config-action/.github/workflows/deploy.yml@refs/tags/v1.*"]
  }
  assert {
    condition     = endswith(google_iam_workload_identity_pool_provider.github[0].attribute_condition, "&& assertion.job_workflow_ref.matches('^(acme/mlops-config-action/.github/workflows/deploy.yml@refs/tags/v1.*)$')")
    error_message = "Other workflows of the repository get no token."
  }
}

run "knows_secrets_that_are_called_otherwise" {
  variables {
    environments = { dev = { publish_refs = [], secrets_prefix = "acme" } }
  }
  assert {
    condition     = google_project_iam_member.connections["dev plan"].condition[0].expression == "resource.name.extract(\"/secrets/{name}/\") == \"acme-connections-mlops_dev\" || resource.name.extract(\"/secrets/{name}/\") == \"acme-variables-mlops_dev_release\""
    error_message = "Its secrets have another beginning."
  }
}

run "lets_jobs_in_to_data_that_is_called_otherwise" {
  command = plan
  variables {
    data_buckets = ["acme-trips", "acme-fares"]
  }
  assert {
    condition = (
      toset(keys(google_project_iam_member.data)) == toset(["dev deploy", "dev rollback", "prod deploy", "prod rollback"])
      && google_project_iam_custom_role.data[0].permissions == toset(["storage.buckets.setIamPolicy"])
      && google_project_iam_member.data["dev deploy"].condition[0].expression == "resource.name == \"projects/_/buckets/acme-trips\" || resource.name == \"projects/_/buckets/acme-fares\""
    )
    error_message = "Whoever applies shares these buckets, and changes nothing else of them."
  }
}

run "gives_a_short_name_a_pool" {
  command = plan
  variables {
    name = "ads"
  }
  assert {
    condition     = google_iam_workload_identity_pool.github[0].workload_identity_pool_id == "ads-github"
    error_message = "A pool's id has 4 letters at least."
  }
}

run "shortens_long_names" {
  variables {
    name         = "city-taxi-trip-fare-prediction"
    environments = { staging = { publish_refs = [] } }
  }
  assert {
    condition     = alltrue([for each in google_service_account.this : length(each.account_id) <= 30 && can(regex("^[a-z][a-z0-9-]*[a-z0-9]$", each.account_id))]) && length(distinct([for each in google_service_account.this : each.account_id])) == 4
    error_message = "A service account's id has at most 30 letters, and no two are the same."
  }
  assert {
    condition     = strcontains(google_iam_workload_identity_pool_provider.github[0].attribute_mapping["attribute.publishes"], "? ('') : '')")
    error_message = "Without refs nobody publishes."
  }
}

run "refuses_a_ref_that_is_everything" {
  command = plan
  variables {
    environments = { dev = { publish_refs = ["refs/heads/.*"] } }
  }
  expect_failures = [var.environments]
}

run "refuses_a_quote_in_a_ref" {
  command = plan
  variables {
    environments = { dev = { publish_refs = ["refs/heads/main') || ('"] } }
  }
  expect_failures = [var.environments]
}

run "each_refuses_one_mistake" {
  command = plan
  variables {
    # secrets named like those that people fill
    environments = { dev = { publish_refs = [], secrets_prefix = "mlops-fares" } }
    # googles prefix
    name = "gcp-taxi"
    # a display name as project
    project_id = "Acme ML"
    # an owner with a wildcard
    repository = { owner = "acme*", owner_id = "5550001", name = "city-taxi", id = "77700042" }
    # a wildcard for the default branch
    default_branch = "*"
    # any workflow of anybody
    job_workflow_refs = [".*"]
    # a pool beside its own
    pool = "projects/111122223333/locations/global/workloadIdentityPools/github"
    # states in no folder
    state = { bucket = "acme-ml-dev-terraform-state", prefix = "" }
    # nearly every bucket
    bucket_prefixes = ["a"]
    # data by its address
    data_buckets = ["gs://acme-trips"]
    # a whole bucket as store
    store = { bucket = "acme-releases", prefix = "" }
    # an image instead of a repository
    image_repository = "europe-west4-docker.pkg.dev/acme-images/city-taxi"
    # to grant owner
    grantable_roles = ["roles/owner"]
  }
  expect_failures = [
    var.environments, var.name, var.project_id, var.repository, var.default_branch, var.job_workflow_refs, var.pool, var.state, var.bucket_prefixes, var.data_buckets, var.store, var.image_repository, var.grantable_roles,
  ]
}

run "each_refuses_a_second_mistake" {
  command = plan
  variables {
    # names for numbers
    repository = { owner = "acme", owner_id = "acme", name = "city-taxi", id = "city-taxi" }
    # to be of no environment
    environments = {}
    # a pool by its id
    create_provider = false
    pool            = "github"
    # to grant what makes tokens
    grantable_roles = ["roles/iam.serviceAccountTokenCreator"]
  }
  expect_failures = [
    var.repository, var.environments, var.pool, var.grantable_roles,
  ]
}

run "each_refuses_a_third_mistake" {
  command = plan
  variables {
    # refs of pull requests
    environments = { dev = { publish_refs = ["refs/pull/.*"] } }
    # no roles at all
    grantable_roles = []
  }
  expect_failures = [
    var.environments, var.grantable_roles,
  ]
}
