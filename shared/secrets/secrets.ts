/** Secrets, read from Secrets Manager when they are first needed, kept in memory, never logged. */
import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import * as z from 'zod';
import { FatalError, mayPass, messageOf, RetryLater } from '../errors.ts';
import { SECOND_MS } from '../time.ts';

export type ApiKey = {
  /** Returns the key. @throws FatalError when the secret is missing or holds no key. */
  readonly get: () => Promise<string>;
  /** Reads the secret anew; returns whether the key is another one. */
  readonly renew: () => Promise<boolean>;
};

/** One word of visible ASCII: nothing else can stand in the Authorization header. */
const KEY = /^[\x21-\x7e]+$/;
/** A secret may be the key itself, or JSON as the Secrets Manager console writes it. */
const KeyObject = z.object({ apiKey: z.string().trim().regex(KEY) });

/** Returns a Braze API key that is kept in a secret, by its name or ARN. */
export function apiKeyIn(client: SecretsManagerClient, secretId: string): ApiKey {
  let key: Promise<string> | undefined;
  const read = async (): Promise<string> => keyOf(await secretText(client, secretId), secretId);
  const get = (): Promise<string> => {
    key ??= read().catch((error) => {
      key = undefined;
      throw error;
    });
    return key;
  };
  return {
    get,
    renew: async () => {
      const before = await get();
      key = undefined;
      return (await get()) !== before;
    },
  };
}

function keyOf(text: string, secretId: string): string {
  const trimmed = text.trim();
  if (trimmed.startsWith('{')) {
    try {
      const parsed = KeyObject.safeParse(JSON.parse(trimmed));
      if (parsed.success) return parsed.data.apiKey;
    } catch {
      // Falls through to the error below, which must not quote the secret.
    }
  } else if (KEY.test(trimmed)) return trimmed;
  throw new FatalError(
    `the secret '${secretId}' holds no Braze API key`,
    'Store the key as plain text, or as JSON with the one member apiKey.',
  );
}

/** Exceptions after which the same call may succeed. Source: AWS Secrets Manager API Reference, 'GetSecretValue'. */
const PASSING = new Set(['InternalServiceError', 'ThrottlingException', 'TimeoutError']);

async function secretText(client: SecretsManagerClient, secretId: string): Promise<string> {
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secretId }));
    return SecretString ?? '';
  } catch (error) {
    const name = error instanceof Error ? error.name : '';
    if (PASSING.has(name) || mayPass(error)) {
      throw new RetryLater(`the secret '${secretId}' could not be read: ${name}`, 5 * SECOND_MS, { cause: error });
    }
    throw new FatalError(
      `the secret '${secretId}' could not be read: ${name}: ${messageOf(error)}`,
      'Check its name in the parameter file and that it exists in this account and region.',
      { cause: error },
    );
  }
}
