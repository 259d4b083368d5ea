# A network for an account that has none: two private subnets in two zones, as Amazon MWAA wants them, which reach the
# internet through NAT (packages, GitHub, a registry elsewhere) and S3 without leaving Amazon. Nothing from outside
# reaches in. An organisation with a network of its own gives its subnets and security groups to the airflow module
# instead and leaves this one out.

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:asked only where zones is null, to try things out; the environments name their zones
  count = var.zones == null ? 1 : 0
  state = "available"

  # Local zones have no MWAA.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

data "aws_region" "current" {}

locals {
  tags  = merge(var.labels, { environment = var.environment })
  zones = var.zones == null ? slice(sort(data.aws_availability_zones.available[0].names), 0, 2) : var.zones

  # Quarters of the range: two private subnets, two public ones for the NAT gateways.
  private = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 2, index) }
  public  = { for index, zone in local.zones : zone => cidrsubnet(var.cidr, 2, index + 2) }

  # Where each zone's traffic leaves: through its own gateway, or through the first zone's.
  nat_zones = var.nat_gateways == "each" ? local.zones : slice(local.zones, 0, 1)
  nat_of    = { for zone in local.zones : zone => contains(local.nat_zones, zone) ? zone : local.zones[0] }
}

resource "aws_vpc" "this" {
  cidr_block           = var.cidr
  enable_dns_hostnames = true
  enable_dns_support   = true
  tags                 = merge(local.tags, { Name = var.name })
}

# What came with the VPC lets nothing through, so nothing can be put into it by accident.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(local.tags, { Name = "${var.name}-unused" })
}

resource "aws_subnet" "private" {
  for_each = local.private

  vpc_id            = aws_vpc.this.id
  cidr_block        = each.value
  availability_zone = each.key
  tags              = merge(local.tags, { Name = "${var.name}-private-${each.key}" })
}

resource "aws_subnet" "public" {
  for_each = local.public

  vpc_id                  = aws_vpc.this.id
  cidr_block              = each.value
  availability_zone       = each.key
  map_public_ip_on_launch = false
  tags                    = merge(local.tags, { Name = "${var.name}-public-${each.key}" })
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id
  tags   = merge(local.tags, { Name = var.name })
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"
  tags   = merge(local.tags, { Name = "${var.name}-nat-${each.key}" })
}

resource "aws_nat_gateway" "this" {
  for_each = toset(local.nat_zones)

  allocation_id = aws_eip.nat[each.key].id
  subnet_id     = aws_subnet.public[each.key].id
  tags          = merge(local.tags, { Name = "${var.name}-${each.key}" })

  depends_on = [aws_internet_gateway.this]
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id
  tags   = merge(local.tags, { Name = "${var.name}-public" })
}

resource "aws_route" "internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = local.public

  subnet_id      = aws_subnet.public[each.key].id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  for_each = local.private

  vpc_id = aws_vpc.this.id
  tags   = merge(local.tags, { Name = "${var.name}-private-${each.key}" })
}

resource "aws_route" "nat" {
  for_each = local.nat_of

  route_table_id         = aws_route_table.private[each.key].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.this[each.value].id
}

resource "aws_route_table_association" "private" {
  for_each = local.private

  subnet_id      = aws_subnet.private[each.key].id
  route_table_id = aws_route_table.private[each.key].id
}

# Costs nothing, and spares the NAT gateways what they would charge for: data and images' layers lie in S3.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${data.aws_region.current.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [for zone in local.zones : aws_route_table.private[zone].id]
  tags              = merge(local.tags, { Name = "${var.name}-s3" })
}
