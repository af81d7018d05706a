# What a cluster on AWS lacks for the Helm chart: storage that several nodes write (EFS), a database (RDS), and a bucket
# for the mirror of the exports. The cluster, its nodes and the EFS driver are yours already.
#   terraform init && terraform apply -var-file=site.tfvars
#   terraform output -raw helm_values > values.yaml
terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.60"
    }
  }
}

locals {
  tags = { application = "nightrec", site = var.site }
}

# The store: user 10001 owns it, and members of its group read the exports.
resource "aws_efs_file_system" "store" {
  encrypted       = true
  throughput_mode = "elastic"
  tags            = local.tags

  lifecycle {
    prevent_destroy = true # the exports are in it
  }
}

resource "aws_efs_mount_target" "store" {
  for_each        = toset(var.subnet_ids)
  file_system_id  = aws_efs_file_system.store.id
  subnet_id       = each.value
  security_groups = [aws_security_group.store.id]
}

resource "aws_efs_access_point" "store" {
  file_system_id = aws_efs_file_system.store.id
  tags           = local.tags

  posix_user {
    uid = 10001
    gid = 10001
  }

  root_directory {
    path = "/nightrec"

    creation_info {
      owner_uid   = 10001
      owner_gid   = 10001
      permissions = "2750"
    }
  }
}

resource "aws_security_group" "store" {
  name        = "nightrec-${var.site}-store"
  description = "NFS, from the nodes of the cluster alone"
  vpc_id      = var.vpc_id
  tags        = local.tags

  ingress {
    from_port       = 2049
    to_port         = 2049
    protocol        = "tcp"
    security_groups = [var.nodes_security_group_id]
  }
}

# Prefect's database.
resource "aws_db_subnet_group" "database" {
  name       = "nightrec-${var.site}"
  subnet_ids = var.subnet_ids
  tags       = local.tags
}

resource "aws_security_group" "database" {
  name        = "nightrec-${var.site}-database"
  description = "PostgreSQL, from the nodes of the cluster alone"
  vpc_id      = var.vpc_id
  tags        = local.tags

  ingress {
    from_port       = 5432
    to_port         = 5432
    protocol        = "tcp"
    security_groups = [var.nodes_security_group_id]
  }
}

resource "aws_db_instance" "database" {
  identifier                = "nightrec-${var.site}"
  engine                    = "postgres"
  engine_version            = "17"
  instance_class            = var.database_class
  allocated_storage         = 20
  storage_encrypted         = true
  db_name                   = "nightrec"
  username                  = "nightrec"
  password                  = var.database_password
  db_subnet_group_name      = aws_db_subnet_group.database.name
  vpc_security_group_ids    = [aws_security_group.database.id]
  publicly_accessible       = false
  backup_retention_period   = 7
  deletion_protection       = true
  final_snapshot_identifier = "nightrec-${var.site}-last"
  tags                      = local.tags
}

# The mirror of the exports, and who may write it: attach the policy to the role of the pods of worker-cpu.
resource "aws_s3_bucket" "mirror" {
  bucket = var.mirror_bucket
  tags   = local.tags
}

resource "aws_s3_bucket_public_access_block" "mirror" {
  bucket                  = aws_s3_bucket.mirror.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "mirror" {
  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.mirror.arn]
  }

  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.mirror.arn}/*"]
  }
}

resource "aws_iam_policy" "mirror" {
  name   = "nightrec-${var.site}-mirror"
  policy = data.aws_iam_policy_document.mirror.json
  tags   = local.tags
}
