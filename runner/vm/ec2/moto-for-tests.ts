import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  CreateLaunchTemplateCommand,
  CreateSecurityGroupCommand,
  CreateTagsCommand,
  DescribeImagesCommand,
  DescribeInstanceAttributeCommand,
  DescribeSubnetsCommand,
  EC2Client,
  type RequestLaunchTemplateData,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { freePort } from '../qemu/free-port.ts';

export interface Moto {
  url: string;
  client: EC2Client;
  subnets: string[];
  imageId: string;
  otherImageId: string;
  /** A launch template as the platform stack makes it, changed by `change`; gives its id. */
  createTemplate(change?: RequestLaunchTemplateData): Promise<string>;
  /** The bytes that an instance was given at launch. */
  userData(instance: string): Promise<Buffer>;
  /** Ends an instance, as one does whose machine switches itself off. */
  end(instance: string): Promise<void>;
  close(): Promise<void>;
}

const region = 'eu-central-1';
let templates = 0;

/** The EC2 emulator moto, a process of its own on loopback. */
export async function startMoto(): Promise<Moto> {
  // The SDK takes credentials from here; moto takes any.
  process.env.AWS_ACCESS_KEY_ID ??= 'test';
  process.env.AWS_SECRET_ACCESS_KEY ??= 'test';
  process.env.AWS_EC2_METADATA_DISABLED = 'true';
  const port = await freePort();
  const server = spawn('moto_server', ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const gone = once(server, 'close');
  const url = `http://127.0.0.1:${port}`;
  await answers(url);
  const client = new EC2Client({ region, endpoint: url });
  const { Subnets = [] } = await client.send(new DescribeSubnetsCommand({}));
  const { Images = [] } = await client.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
  const imageId = Images[0]?.ImageId ?? '';
  const tags = [{ Key: 'ebb:image-digest', Value: 'a'.repeat(64) }];
  await client.send(new CreateTagsCommand({ Resources: [imageId], Tags: tags }));
  const group = new CreateSecurityGroupCommand({
    GroupName: 'vm',
    Description: 'VMs',
    VpcId: Subnets[0]?.VpcId,
  });
  const { GroupId = '' } = await client.send(group);
  return {
    url,
    client,
    imageId,
    otherImageId: Images[1]?.ImageId ?? '',
    subnets: Subnets.map(({ SubnetId = '' }) => SubnetId),
    async createTemplate(change = {}) {
      const data: RequestLaunchTemplateData = {
        ImageId: imageId,
        SecurityGroupIds: [GroupId],
        InstanceInitiatedShutdownBehavior: 'terminate',
        MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1, HttpEndpoint: 'enabled' },
        ...change,
      };
      const command = new CreateLaunchTemplateCommand({
        LaunchTemplateName: `vm-${++templates}`,
        LaunchTemplateData: data,
      });
      return (await client.send(command)).LaunchTemplate?.LaunchTemplateId ?? '';
    },
    async userData(instance) {
      const command = new DescribeInstanceAttributeCommand({ InstanceId: instance, Attribute: 'userData' });
      const { UserData } = await client.send(command);
      return Buffer.from(UserData?.Value ?? '', 'base64');
    },
    end: async (instance) =>
      void (await client.send(new TerminateInstancesCommand({ InstanceIds: [instance] }))),
    async close() {
      client.destroy();
      server.kill();
      await gone;
    },
  };
}

async function answers(url: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (
      await fetch(`${url}/moto-api/`).then(
        (answer) => answer.ok,
        () => false,
      )
    )
      return;
    await delay(100);
  }
  throw new Error('moto_server did not start. Is it installed? pip install "moto[server]"');
}
