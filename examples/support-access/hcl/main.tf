# Lets the core crew of whoever operates Ebb look at the logs of one project, until a moment that you name.

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

variable "until" {
  description = "When the access ends: RFC 3339 in UTC, at most seven days from now."
  type        = string
  nullable    = false
}

variable "notify" {
  description = "Who is told of each use, by e-mail."
  type        = list(string)
  nullable    = false
}

data "ebb_project" "shop" {
  natural_id = var.project
}

resource "ebb_access_grant" "support" {
  project_id = data.ebb_project.shop.id
  reason     = "The tests fail since Monday; see the support case."
  scope      = ["logs", "environment"]
  ends_at    = var.until
  notify     = var.notify
}

# The support case needs it: without it nobody can use the grant.
output "access_grant_id" {
  value = ebb_access_grant.support.id
}
