# Deploy keys that are rotated: one that Ebb makes, and one that is brought along.

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

variable "quarter" {
  description = "Another quarter than before makes a new key for shop."
  type        = string
  default     = "2026-Q4"
}

variable "catalog_key" {
  description = "Private half of the deploy key of catalog, as ssh-keygen writes it."
  type        = string
  ephemeral   = true
  nullable    = false
}

variable "catalog_key_version" {
  description = "Another number than before sends catalog_key again."
  type        = number
  default     = 1
}

resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}

resource "ebb_project" "shop" {
  connection_id = ebb_connection.local.id
  name          = "shop"
  repository    = "shop"
  setup         = ["./setup.sh"]
  test          = ["./total.sh build/prices.csv"]
}

resource "ebb_project" "catalog" {
  connection_id = ebb_connection.local.id
  name          = "catalog"
  repository    = "catalog"
  setup         = ["./setup.sh"]
  test          = ["./total.sh build/prices.csv"]
}

# Any number of words; terraform-provider-time's time_rotating gives one that changes by itself.
resource "ebb_deploy_key" "shop" {
  project_id  = ebb_project.shop.id
  rotate_when = { quarter = var.quarter }
}

resource "ebb_deploy_key" "catalog" {
  project_id             = ebb_project.catalog.id
  private_key_wo         = var.catalog_key
  private_key_wo_version = var.catalog_key_version
}

output "fingerprints" {
  value = {
    shop    = ebb_deploy_key.shop.fingerprint
    catalog = ebb_deploy_key.catalog.fingerprint
  }
}
