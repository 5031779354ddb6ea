# Every repository of a list becomes a project with its key, its hook and a secret that all share.

terraform {
  required_version = ">= 1.11"
  required_providers {
    ebb = {
      source  = "ebb-ci/ebb"
      version = "0.1.0"
    }
  }
  backend "local" {
    path = "terraform.tfstate"
  }
}

# Address and key come from EBB_ENDPOINT and EBB_API_KEY.
provider "ebb" {}

variable "registry_token" {
  description = "A secret that the tests of all projects read."
  type        = string
  ephemeral   = true
  nullable    = false
}

locals {
  # By name of the repository: what it needs beyond the defaults.
  projects = {
    shop    = { deploy = ["./deploy.sh"] }
    catalog = { timeout_minutes = 20 }
    mailer  = {}
  }
}

resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}

resource "ebb_project" "all" {
  for_each = local.projects

  connection_id   = ebb_connection.local.id
  name            = each.key
  repository      = each.key
  setup           = ["./setup.sh"]
  test            = ["./total.sh build/prices.csv"]
  timeout_minutes = lookup(each.value, "timeout_minutes", 60)
  deploy          = [for command in lookup(each.value, "deploy", []) : { branch = "main", commands = [command] }]
}

resource "ebb_deploy_key" "all" {
  for_each   = ebb_project.all
  project_id = each.value.id
}

resource "ebb_secret" "registry_token" {
  for_each         = ebb_project.all
  project_id       = each.value.id
  name             = "REGISTRY_TOKEN"
  phases           = ["test"]
  value_wo         = var.registry_token
  value_wo_version = 1
}

# A push must not start a build before it can be checked out and has its secrets.
resource "ebb_hook_binding" "all" {
  for_each   = ebb_project.all
  project_id = each.value.id
  depends_on = [ebb_deploy_key.all, ebb_secret.registry_token]
}

output "fingerprints" {
  description = "Of each project's deploy key, as the source host shows it."
  value       = { for name, key in ebb_deploy_key.all : name => key.fingerprint }
}
