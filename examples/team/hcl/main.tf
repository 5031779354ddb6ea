# The people of a team, by address and role, and what the team says of itself.

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

variable "team" {
  description = "Name of the team that the key belongs to."
  type        = string
  nullable    = false
}

variable "people" {
  description = "Roles by address: viewer, maintainer or owner."
  type        = map(string)
  nullable    = false
}

# Who is not in the team yet is invited by e-mail.
resource "ebb_team_member" "each" {
  for_each = var.people
  email    = each.key
  role     = each.value
}

resource "ebb_team" "own" {
  name          = var.team
  limit_by_team = 10
  # Destroying it would revoke the team: see the README.
  deletion_protection = true
  # So that a destruction revokes the team first, and its last owner with it.
  depends_on = [ebb_team_member.each]
}

# `invited` until they joined.
output "status" {
  value = { for email, member in ebb_team_member.each : email => member.status }
}
