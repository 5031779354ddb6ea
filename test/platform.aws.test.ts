import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTerraform } from '../cli/demo/terraform.ts';
import { Platform } from '../stacks/platform/index.ts';
import { makeTestStack, sampleProps } from './platform-for-tests.ts';
import { findTerraformMirror, mirrorConfig } from './terraform-mirror.ts';

const example = fileURLToPath(new URL('../examples/platform/main.ts', import.meta.url));

test('the example of the guide is valid for the real provider', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'ebb-platform-example-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const config = join(folder, 'terraform.rc');
  await writeFile(config, mirrorConfig(findTerraformMirror('hashicorp/aws') ?? ''));
  const terraform = createTerraform({
    folder: join(folder, 'cdktf.out/stacks/platform'),
    environment: { TF_CLI_CONFIG_FILE: config },
    signal: AbortSignal.timeout(120_000),
  });
  await promisify(execFile)(process.execPath, [example], { cwd: folder, env: { PATH: process.env.PATH } });
  await terraform.run(['init', '-input=false']);
  assert.match((await terraform.run(['validate'])).output, /The configuration is valid/);
});

// What the provider itself makes of the plan, of all resources, Redis included, which no emulator here can apply.
const specification = `
mock_provider "aws" {
  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:eu-central-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }
  mock_resource "aws_eip" {
    defaults = { public_ip = "192.0.2.1" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mock" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:mock-AbCdEf" }
  }
  mock_resource "aws_lb" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/mock/0123456789abcdef" }
  }
  mock_resource "aws_lb_target_group" {
    defaults = { arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/mock/0123456789abcdef" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:123456789012:log-group:/mock" }
  }
  mock_resource "aws_ecs_cluster" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/mock" }
  }
  mock_resource "aws_ecs_task_definition" {
    defaults = { arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mock:1" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", arn = "arn:aws:ec2:eu-central-1:123456789012:launch-template/lt-0123456789abcdef0" }
  }
}

run "everything" {
  command = apply
  assert {
    condition     = output.custody_key != ""
    error_message = "the guide needs the key"
  }
  assert {
    condition     = output.balancer != ""
    error_message = "the guide needs the load balancer"
  }
}
`;

test('the provider plans and applies all of it, in a world of its own', async (t) => {
  const stack = await makeTestStack((scope) => {
    new Platform(scope, 'platform', { ...sampleProps, database: { protected: false } });
  });
  t.after(() => stack.remove());
  await writeFile(join(stack.folder, 'platform.tftest.hcl'), specification);
  const { output } = await stack.terraform.run(['test']);
  assert.match(output, /1 passed, 0 failed/);
});
