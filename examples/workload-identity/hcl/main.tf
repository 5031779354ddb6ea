# Lets a workflow of GitHub Actions start builds of one project, without an API key at GitHub.

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

variable "project" {
  description = "The project, as team/project."
  type        = string
  nullable    = false
}

variable "repository" {
  description = "The repository whose workflows on main may start builds, as owner/name."
  type        = string
  nullable    = false
}

data "ebb_project" "shop" {
  natural_id = var.project
}

resource "ebb_workload_identity" "release" {
  name       = "release"
  project_id = data.ebb_project.shop.id
  issuer     = "https://token.actions.githubusercontent.com"
  audience   = "ebb"
  claims     = { sub = "repo:${var.repository}:ref:refs/heads/main" }
  scopes     = ["builds:read", "builds:write"]
}

# The workflow names it when it exchanges its token.
output "client_id" {
  value = ebb_workload_identity.release.id
}
