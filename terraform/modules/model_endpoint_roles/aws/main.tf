# Who may do what with data and endpoint. The execution role is what SageMaker takes on to start the model server: pull
# the image, load the package, write captures and logs. Two policies are for the jobs, and are attached to whatever runs
# them (MWAA's execution role, or that of your own Airflow): read and write the very URIs of the configuration, and
# deploy the one endpoint. Training and batches run where Airflow runs them, so the execution role reads no training
# data. Buckets belong to whoever has the data; nothing here makes or deletes one.

locals {
  partition = startswith(var.region, "cn-") ? "aws-cn" : startswith(var.region, "us-gov-") ? "aws-us-gov" : "aws"
  s3        = "arn:${local.partition}:s3:::"
  tags      = merge(var.labels, { environment = var.environment })
  serves    = var.endpoint != null

  read_paths  = [for uri in values(var.reads) : trimprefix(uri, "s3://") if startswith(uri, "s3://")]
  write_paths = distinct([for uri in values(var.writes) : trimprefix(uri, "s3://") if startswith(uri, "s3://")])
  captures    = [for key, uri in var.writes : trimprefix(uri, "s3://") if key == var.captures && startswith(uri, "s3://")]
  packages    = var.packages_uri == null ? [] : [trimprefix(var.packages_uri, "s3://")]
  all_paths   = distinct(concat(local.read_paths, local.write_paths, local.packages))

  # Where in a bucket: after the first slash.
  prefix_of = { for path in local.all_paths : path => join("/", slice(split("/", path), 1, length(split("/", path)))) }
  bucket_of = { for path in local.all_paths : path => split("/", path)[0] }

  # A file, or a folder with or without its slash. The name itself is among the objects of a folder as well: who looks
  # whether a name is a file or a folder asks for a file first, and S3 answers 403, not 404, to whom may not read it.
  objects_of = { for path in local.all_paths : path => ["${local.s3}${trimsuffix(path, "/")}", "${local.s3}${trimsuffix(path, "/")}/*"] }
  # What is listed of a pattern: the folder before its first *.
  listed_of = { for path in local.all_paths : path => trimsuffix(strcontains(local.prefix_of[path], "*") ? try(regex("^[^*]*/", local.prefix_of[path]), "") : local.prefix_of[path], "/") }
  # What is written is a folder. Until a file is whole it has a hidden name, and S3 renames by a copy and a deletion.
  within = { for path in local.all_paths : path => "${local.s3}${trimsuffix(path, "/")}/*" }
  hidden = { for path in local.all_paths : path => ["${local.s3}${trimsuffix(path, "/")}/.*", "${local.s3}${trimsuffix(path, "/")}/*/.*"] }
}
