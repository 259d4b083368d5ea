output "subnet_ids" {
  description = "Ids of the two private subnets."
  value       = [for zone in local.zones : aws_subnet.private[zone].id]

  # Who starts in a subnet needs its way out.
  depends_on = [aws_route.nat, aws_route_table_association.private]
}

output "security_group_ids" {
  description = "Ids of the security groups for Airflow: one."
  value       = [aws_security_group.airflow.id]

  depends_on = [
    aws_vpc_security_group_ingress_rule.members,
    aws_vpc_security_group_egress_rule.members,
    aws_vpc_security_group_egress_rule.https,
    aws_vpc_security_group_egress_rule.more,
  ]
}

output "vpc_id" {
  description = "Id of the VPC."
  value       = aws_vpc.this.id
}
