/** `cdk synth -c environment=NAME` reads parameters/NAME.yaml; `-c parameters=FILE` reads any file. Nothing is looked up in an account. */
import { App } from 'aws-cdk-lib';
import { ParametersError, parametersFor, readParameters } from '../shared/parameters/read.ts';
import type { Parameters } from '../shared/parameters/schema.ts';
import { addStack } from './synth.ts';

const app = new App();
addStack(app, chosenParameters());
app.synth();

function chosenParameters(): Parameters {
  const file: unknown = app.node.tryGetContext('parameters');
  const environment: unknown = app.node.tryGetContext('environment');
  try {
    if (typeof file === 'string') return readParameters(file);
    if (typeof environment === 'string') return parametersFor(environment);
  } catch (error) {
    if (error instanceof ParametersError) end(error.message);
    throw error;
  }
  return end('Say which parameters: -c environment=NAME for parameters/NAME.yaml, or -c parameters=FILE.');
}

/** A mistake in the parameters is told without a stack trace. */
function end(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
