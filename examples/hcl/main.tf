# The quickstart's project without CDKTF.

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

variable "greeting" {
  description = "A secret that the tests and the deployment read."
  type        = string
  nullable    = false
  sensitive   = true
  ephemeral   = true
}

resource "ebb_connection" "local" {
  name = "local"
  kind = "local"
}

resource "ebb_project" "shop" {
  connection_id = ebb_connection.local.id
  name          = "shop"
  repository    = "shop"

  setup = ["./setup.sh"]
  test  = ["./test.sh"]
  deploy = [
    {
      branch   = "main"
      commands = ["./deploy.sh"]
    },
  ]

  environment = {
    SHOP_CURRENCY = "EUR"
  }
}

resource "ebb_deploy_key" "shop" {
  project_id = ebb_project.shop.id
}

resource "ebb_secret" "greeting" {
  project_id       = ebb_project.shop.id
  name             = "SHOP_GREETING"
  phases           = ["test", "deploy"]
  value_wo         = var.greeting
  value_wo_version = 1
}

# Last, so that the first push finds everything in place.
resource "ebb_hook_binding" "shop" {
  project_id = ebb_project.shop.id
  depends_on = [ebb_deploy_key.shop, ebb_secret.greeting]
}

output "project_id" {
  value = ebb_project.shop.id
}

output "public_key" {
  value = ebb_deploy_key.shop.public_key
}
