# Hands another CI, or whatever else this configuration sets up, a token that starts builds of one project.

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

variable "url" {
  description = "URL of the repository, as its source host shows it."
  type        = string
  nullable    = false
}

locals {
  repository = provider::ebb::parse_repository_url(var.url)
}

resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}

resource "ebb_project" "shop" {
  connection_id = ebb_connection.local.id
  name          = local.repository.name
  repository    = local.repository.repository
  setup         = ["./setup.sh"]
  test          = ["./total.sh build/prices.csv"]
}

resource "ebb_deploy_key" "shop" {
  project_id = ebb_project.shop.id
}

# Good while Terraform runs, and revoked when it ends.
ephemeral "ebb_token" "builds" {
  scopes     = ["builds:read", "builds:write"]
  project_id = ebb_project.shop.id
}

# Any write-only argument takes it, of any provider. It is in no plan and no state.
resource "ebb_secret" "token" {
  project_id       = ebb_project.shop.id
  name             = "BUILDS_TOKEN"
  value_wo         = ephemeral.ebb_token.builds.token
  value_wo_version = 1
}

data "ebb_builds" "last" {
  project_id = ebb_project.shop.id
  limit      = 10
}

data "ebb_jwks" "ebb" {}

output "fingerprint" {
  description = "As the source host and ssh-keygen show it."
  value       = provider::ebb::public_key_fingerprint(ebb_deploy_key.shop.public_key)
}

output "last_builds" {
  value = [for build in data.ebb_builds.last.builds : "${build.number} ${build.state}"]
}
