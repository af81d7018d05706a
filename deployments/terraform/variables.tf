variable "site" {
  description = "The name of the site, as in nightrec.toml."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.site))
    error_message = "Small letters, digits and hyphens, at most 31."
  }
}

variable "vpc_id" {
  description = "The network of the cluster."
  type        = string
}

variable "subnet_ids" {
  description = "Its private subnets, one in each zone that has nodes."
  type        = list(string)

  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "RDS wants subnets in two zones at least."
  }
}

variable "nodes_security_group_id" {
  description = "The security group of the cluster's nodes."
  type        = string
}

variable "database_class" {
  description = "The size of the database's machine."
  type        = string
  default     = "db.t4g.small"
}

variable "database_password" {
  description = "Of the database, as in the secret nightrec-secrets: letters and digits. Give it as TF_VAR_database_password."
  type        = string
  sensitive   = true

  validation {
    condition     = can(regex("^[A-Za-z0-9]{16,64}$", var.database_password))
    error_message = "Letters and digits alone, 16 to 64: it becomes part of an address."
  }
}

variable "mirror_bucket" {
  description = "The name of the bucket for the mirror of the exports."
  type        = string
}
