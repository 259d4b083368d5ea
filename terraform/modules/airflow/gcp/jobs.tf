# The jobs' environment on the workers, for execution bash: made of locked requirements before a worker's first job, apart
# from Airflow's own packages.

locals {
  job_source  = "${path.module}/../../../../docker"
  entrypoints = fileset(local.job_source, "*_main.py")
  # By its content, so that workers see that it is another.
  jobs_object = local.own_jobs ? "data/mlops/jobs-${substr(filesha256(var.jobs.requirements), 0, 16)}.txt" : ""

  job_files = !local.own_jobs ? {} : merge(
    { for name in local.entrypoints : "data/mlops/${name}" => "${local.job_source}/${name}" },
    { "data/mlops/sitecustomize.py" = "${path.module}/files/sitecustomize.py", (local.jobs_object) = var.jobs.requirements },
  )
}

resource "google_storage_bucket_object" "job" {
  for_each = local.job_files

  bucket         = local.bucket
  name           = each.key
  source         = each.value
  source_md5hash = filemd5(each.value)

  depends_on = [google_storage_bucket.dags]
}
