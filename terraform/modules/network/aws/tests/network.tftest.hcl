# Subnets, the ways out, and what a security group lets through.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "111122223333" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_region" {
    defaults = { region = "eu-central-1" }
  }

  mock_data "aws_availability_zones" {
    defaults = { names = ["eu-central-1c", "eu-central-1b", "eu-central-1a"] }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000000" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:111122223333:log-group:/mlops/city-taxi-trip-fare-dev/flow" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/city-taxi-trip-fare-dev-flow" }
  }
}

variables {
  name        = "city-taxi-trip-fare-dev"
  environment = "dev"
}

run "two_private_subnets_and_one_way_out" {
  command = apply

  assert {
    condition = { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block } == {
      eu-central-1a = "10.64.0.0/22", eu-central-1b = "10.64.4.0/22"
    }
    error_message = "There are not two private subnets in the region's first two zones."
  }

  assert {
    condition = (
      { for zone, subnet in aws_subnet.public : zone => subnet.cidr_block } == { eu-central-1a = "10.64.8.0/22", eu-central-1b = "10.64.12.0/22" } &&
      alltrue([for subnet in values(aws_subnet.public) : !subnet.map_public_ip_on_launch])
    )
    error_message = "The public subnets are not the other half, or give public addresses to what starts in them."
  }

  assert {
    condition     = keys(aws_nat_gateway.this) == ["eu-central-1a"] && alltrue([for route in values(aws_route.nat) : route.nat_gateway_id == aws_nat_gateway.this["eu-central-1a"].id])
    error_message = "The private subnets do not share the one NAT gateway."
  }

  assert {
    condition = (
      aws_vpc_endpoint.s3.service_name == "com.amazonaws.eu-central-1.s3" && aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" &&
      toset(aws_vpc_endpoint.s3.route_table_ids) == toset([for table in values(aws_route_table.private) : table.id])
    )
    error_message = "The private subnets reach S3 through NAT."
  }

  assert {
    condition = (
      aws_vpc_security_group_ingress_rule.members.referenced_security_group_id == aws_security_group.airflow.id &&
      aws_vpc_security_group_ingress_rule.members.cidr_ipv4 == null &&
      aws_vpc_security_group_egress_rule.https.from_port == 443 && aws_vpc_security_group_egress_rule.https.to_port == 443 &&
      length(aws_vpc_security_group_egress_rule.more) == 0
    )
    error_message = "Something from outside may come in, or jobs may go out otherwise than by HTTPS."
  }

  assert {
    condition     = length(aws_default_security_group.this.ingress) == 0 && length(aws_default_security_group.this.egress) == 0
    error_message = "The VPC's own security group lets something through."
  }

  assert {
    condition = (
      aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.retention_in_days == 90 &&
      aws_cloudwatch_log_group.flow.kms_key_id == aws_kms_key.flow.arn && aws_kms_key.flow.enable_key_rotation
    )
    error_message = "The network's traffic is not recorded, encrypted, for 90 days."
  }

  assert {
    condition = one(jsondecode(aws_iam_role_policy.flow.policy).Statement).Resource == [
      "arn:aws:logs:eu-central-1:111122223333:log-group:/mlops/city-taxi-trip-fare-dev/flow",
      "arn:aws:logs:eu-central-1:111122223333:log-group:/mlops/city-taxi-trip-fare-dev/flow:*",
    ]
    error_message = "The role may write to other logs than its own."
  }

  assert {
    condition = jsonencode([
      for each in jsondecode(aws_kms_key.flow.policy).Statement : each.Condition if each.Sid == "CloudWatchEncryptsThisLogGroup"
    ]) == jsonencode([{ ArnEquals = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:eu-central-1:111122223333:log-group:/mlops/city-taxi-trip-fare-dev/flow" } }])
    error_message = "CloudWatch may use the key for other logs."
  }

  assert {
    condition     = output.subnet_ids == [for zone in ["eu-central-1a", "eu-central-1b"] : aws_subnet.private[zone].id] && output.security_group_ids == [aws_security_group.airflow.id]
    error_message = "The outputs are not what Airflow is put into."
  }
}

run "a_way_out_in_each_zone" {
  command = apply

  variables {
    zones                = ["eu-central-1b", "eu-central-1c"]
    nat_gateways         = "each"
    cidr                 = "172.16.8.0/24"
    permissions_boundary = "arn:aws:iam::111122223333:policy/mlops-boundary"
    egress               = { "MLflow's database" = { cidr = "10.1.0.0/16", port = 5432 } }
  }

  assert {
    condition     = { for zone, route in aws_route.nat : zone => route.nat_gateway_id } == { for zone, gateway in aws_nat_gateway.this : zone => gateway.id } && length(aws_eip.nat) == 2
    error_message = "A zone's traffic leaves through another zone."
  }

  assert {
    condition     = { for zone, subnet in aws_subnet.private : zone => subnet.cidr_block } == { eu-central-1b = "172.16.8.0/26", eu-central-1c = "172.16.8.64/26" }
    error_message = "The subnets are not in the given zones and range."
  }

  assert {
    condition = (
      aws_vpc_security_group_egress_rule.more["MLflow's database"].cidr_ipv4 == "10.1.0.0/16" &&
      aws_vpc_security_group_egress_rule.more["MLflow's database"].from_port == 5432
    )
    error_message = "The egress that was asked for is not there."
  }

  assert {
    condition     = aws_iam_role.flow.permissions_boundary == var.permissions_boundary && length(data.aws_availability_zones.available) == 0
    error_message = "The role is not bounded, or zones are looked up though they were given."
  }
}

run "refuses_what_no_network_can_have" {
  command = plan

  variables {
    name                 = "City-Taxi"
    environment          = "prod 1"
    labels               = { "aws:team" = "fares" }
    cidr                 = "8.8.0.0/20"
    zones                = ["eu-central-1a", "eu-central-1a"]
    nat_gateways         = "none"
    egress               = { everywhere = { cidr = "0.0.0.0/0", port = 70000 } }
    flow_log_days        = 10
    permissions_boundary = "mlops-boundary"
  }

  expect_failures = [
    var.name,
    var.environment,
    var.labels,
    var.cidr,
    var.zones,
    var.nat_gateways,
    var.egress,
    var.flow_log_days,
    var.permissions_boundary,
  ]
}

run "refuses_a_range_too_small_for_airflow" {
  command = plan

  variables {
    cidr = "10.64.0.0/26"
  }

  expect_failures = [var.cidr]
}

run "refuses_a_range_that_begins_in_its_middle" {
  command = plan

  variables {
    cidr = "10.64.0.1/20"
  }

  expect_failures = [var.cidr]
}

run "refuses_an_egress_to_no_port" {
  command = plan

  variables {
    egress = { database = { cidr = "10.1.0.0/16", port = 0 } }
  }

  expect_failures = [var.egress]
}
