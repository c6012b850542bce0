/** `w2b validate`: all mistakes of a parameter file, or that there are none. */
import pc from 'picocolors';
import { ParametersError, readParameters } from '../shared/parameters/read.ts';
import { ExitCode } from './options.ts';

/** Prints what is wrong with a parameter file. Returns the exit code. */
export function validateCommand({
  parameters: file,
  json,
}: {
  readonly parameters: string;
  readonly json?: boolean;
}): number {
  try {
    const parameters = readParameters(file);
    const destinations = Object.keys(parameters.destinations).length;
    if (json) process.stdout.write(`${JSON.stringify({ valid: true, problems: [] })}\n`);
    else
      process.stdout.write(
        `${pc.green('✓')} ${file}: no mistakes (${destinations} destination${destinations === 1 ? '' : 's'})\n`,
      );
    return ExitCode.ok;
  } catch (error) {
    if (!(error instanceof ParametersError)) throw error;
    if (json) process.stdout.write(`${JSON.stringify({ valid: false, problems: error.problems })}\n`);
    else process.stderr.write(`${error.message}\n`);
    return ExitCode.mistake;
  }
}
