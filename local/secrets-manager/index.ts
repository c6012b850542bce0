/**
 * Secrets Manager for the local cloud: `GetSecretValue` over its real wire protocol.
 *
 * Imitated: a secret is found by its name, its ARN, or its ARN without the six characters that Secrets Manager adds;
 * a new value is a new version, and the one before stays as AWSPREVIOUS; unknown secrets, versions and stages are
 * answered as the real service does. Not imitated: every other operation, binary secrets, rotation, deletion, KMS,
 * permissions and signatures. No value is ever logged or listed: `requests()` has names only.
 * Source: AWS Secrets Manager API Reference, 'GetSecretValue'; User Guide, 'Secrets Manager secret'.
 */
import { createHash, randomUUID } from 'node:crypto';
import * as z from 'zod';
import { AwsError, parseInput, startAwsJson } from '../aws-json.ts';

const ARN_PREFIX = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:';

const GetSecretValueInput = z.strictObject({
  SecretId: z.string().min(1).max(2048),
  VersionId: z.string().min(32).max(64).optional(),
  VersionStage: z.string().min(1).max(256).optional(),
});

type Version = { readonly id: string; readonly value: string; readonly createdAtMs: number };
type Secret = { readonly name: string; readonly arn: string; current: Version; previous?: Version };

/** A request that was answered: which secret was asked for, and whether it was found. */
export type SecretRequest = { readonly secretId: string; readonly found: boolean };

export type SecretsManager = {
  readonly url: string;
  /** Sets a secret's value; an existing one gets a new version. Returns the secret's ARN. */
  set(name: string, value: string): string;
  /** Returns the requests so far, oldest first. */
  requests(): readonly SecretRequest[];
  close(): Promise<void>;
};

/**
 * Starts the emulator on 127.0.0.1 with the given secrets, name to value.
 * @throws when the port is taken.
 */
export async function startSecretsManager(options: {
  secrets: ReadonlyMap<string, string> | Readonly<Record<string, string>>;
  port?: number;
  now?: () => number;
}): Promise<SecretsManager> {
  const now = options.now ?? Date.now;
  const secretByName = new Map<string, Secret>();
  const answered: SecretRequest[] = [];

  const set = (name: string, value: string): string => {
    const current = { id: randomUUID(), value, createdAtMs: now() };
    const known = secretByName.get(name);
    const arn = known?.arn ?? arnOf(name);
    secretByName.set(name, { name, arn, current, ...(known === undefined ? {} : { previous: known.current }) });
    return arn;
  };
  const given = options.secrets instanceof Map ? options.secrets : Object.entries(options.secrets);
  for (const [name, value] of given) set(name, value);

  const getSecretValue = (input: unknown): unknown => {
    const request = parseInput(GetSecretValueInput, input, 'InvalidParameterException');
    const secret = find([...secretByName.values()], request.SecretId);
    const version = secret === undefined ? undefined : versionOf(secret, request);
    answered.push({ secretId: request.SecretId, found: version !== undefined });
    if (secret === undefined) throw notFound("Secrets Manager can't find the specified secret.");
    if (version === undefined) throw notFound(missingVersion(request));
    return {
      ARN: secret.arn,
      Name: secret.name,
      VersionId: version.id,
      SecretString: version.value,
      VersionStages: [version === secret.current ? 'AWSCURRENT' : 'AWSPREVIOUS'],
      CreatedDate: version.createdAtMs / 1000,
    };
  };

  const server = await startAwsJson({
    service: 'secretsmanager',
    operations: { GetSecretValue: getSecretValue },
    port: options.port,
  });
  return { url: server.url, set, requests: () => [...answered], close: server.close };
}

/** The ARN is stable from one start to the next, so that parameter files can name it. */
function arnOf(name: string): string {
  const suffix = createHash('sha256').update(name).digest('hex').slice(0, 6);
  return `${ARN_PREFIX}${name}-${suffix}`;
}

function find(secrets: readonly Secret[], secretId: string): Secret | undefined {
  return secrets.find(({ name, arn }) => secretId === name || secretId === arn || secretId === `${ARN_PREFIX}${name}`);
}

function versionOf(secret: Secret, { VersionId, VersionStage }: z.infer<typeof GetSecretValueInput>) {
  const byStage = { AWSCURRENT: secret.current, AWSPREVIOUS: secret.previous };
  const stages = Object.entries(byStage).filter(([stage]) => VersionStage === undefined || stage === VersionStage);
  if (VersionId === undefined) return stages[0]?.[1];
  return stages.find(([, version]) => version?.id === VersionId)?.[1];
}

function missingVersion({ VersionId, VersionStage }: z.infer<typeof GetSecretValueInput>): string {
  const which = VersionId === undefined ? `staging label: ${VersionStage}` : `VersionId: ${VersionId}`;
  return `Secrets Manager can't find the specified secret value for ${which}`;
}

const notFound = (message: string): AwsError => new AwsError('ResourceNotFoundException', message);
