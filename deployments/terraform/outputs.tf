output "helm_values" {
  description = "Values of the Helm chart for this site."
  value = yamlencode({
    postgres = { enabled = false }
    server   = { databaseHost = "${aws_db_instance.database.address}:5432" }
    store    = { existingClaim = "nightrec-store" }
  })
}

output "store_volume" {
  description = "The volume of the store and its claim, for `kubectl apply -f -`."
  value = join("---\n", [
    yamlencode({
      apiVersion = "v1"
      kind       = "PersistentVolume"
      metadata   = { name = "nightrec-${var.site}-store" }
      spec = {
        capacity                      = { storage = "100Gi" }
        accessModes                   = ["ReadWriteMany"]
        persistentVolumeReclaimPolicy = "Retain"
        storageClassName              = ""
        csi = {
          driver       = "efs.csi.aws.com"
          volumeHandle = "${aws_efs_file_system.store.id}::${aws_efs_access_point.store.id}"
        }
      }
    }),
    yamlencode({
      apiVersion = "v1"
      kind       = "PersistentVolumeClaim"
      metadata   = { name = "nightrec-store", namespace = "nightrec" }
      spec = {
        accessModes      = ["ReadWriteMany"]
        storageClassName = ""
        volumeName       = "nightrec-${var.site}-store"
        resources        = { requests = { storage = "100Gi" } }
      }
    }),
  ])
}

output "mirror" {
  description = "The mirror of nightrec.toml, and the policy that lets worker-cpu write it."
  value       = { url = "s3://${aws_s3_bucket.mirror.bucket}/exports", policy_arn = aws_iam_policy.mirror.arn }
}
