# The same repository at GitHub without CDKTF.

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

variable "github_token" {
  description = "Fine-grained token for the repository. It is in no plan and no state."
  type        = string
  nullable    = false
  sensitive   = true
  ephemeral   = true
}

variable "github_url" {
  description = "Address of a GitHub Enterprise; left out for github.com."
  type        = string
  default     = null
}

variable "github_ssh_address" {
  description = "Where that serves SSH, when it is not its port 22."
  type        = string
  default     = null
}

variable "name" {
  description = "Name of the project at Ebb."
  type        = string
  nullable    = false
}

variable "repository" {
  description = "Repository at GitHub, such as acme/shop."
  type        = string
  nullable    = false
}

resource "ebb_connection" "github" {
  name             = "github"
  kind             = "github"
  url              = var.github_url
  ssh_address      = var.github_ssh_address
  token_wo         = var.github_token
  token_wo_version = 1
}

resource "ebb_project" "this" {
  connection_id = ebb_connection.github.id
  name          = var.name
  repository    = var.repository

  test = ["./test.sh"]
  deploy = [
    {
      branch   = "main"
      commands = ["./deploy.sh"]
    },
  ]
}

resource "ebb_deploy_key" "this" {
  project_id = ebb_project.this.id
}

# Last, so that the first push finds the key in place.
resource "ebb_hook_binding" "this" {
  project_id = ebb_project.this.id
  branches   = ["main", "release/**"]
  tags       = ["v*"]
  depends_on = [ebb_deploy_key.this]
}

output "project_id" {
  value = ebb_project.this.id
}

output "public_key" {
  value = ebb_deploy_key.this.public_key
}
