/** The `w2b` command: its words, options and help. What they do is in the files beside this one. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { type CommandOptions, ExitCode } from './options.ts';
import { planCommand } from './plan.ts';
import { runCommand } from './run.ts';
import { validateCommand } from './validate.ts';

/** Runs a command line. Returns the exit code: 0 all well, 1 a run held, partial or failed, 2 a mistake of the user. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = ExitCode.ok;
  const program = new Command('w2b')
    .description('Keeps Braze true to a data warehouse.')
    .exitOverride()
    .showHelpAfterError('(w2b --help shows what there is)')
    .addHelpText(
      'after',
      `
Examples:
  w2b validate -p parameters/demo.yaml
  w2b plan -p parameters/demo.yaml --local .w2b --warehouse-sql demo/day-1.sql
  w2b run -p parameters/demo.yaml --local .w2b`,
    );

  program
    .command('validate')
    .description('Check a parameter file: exit code 0, or 2 with every mistake.')
    .requiredOption('-p, --parameters <file>', 'the parameter file')
    .option('--json', 'print one JSON object on stdout and nothing else there')
    .addHelpText(
      'after',
      '\nExamples:\n  w2b validate -p parameters/demo.yaml\n  w2b validate -p parameters/production.yaml --json',
    )
    .action((options: { parameters: string; json?: boolean }) => {
      exitCode = validateCommand(options);
    });

  withRunOptions(program.command('plan').description('Show what a run would do. Sends nothing, writes nothing.'))
    .option('--show-values', 'put primary keys and values into the samples')
    .addHelpText(
      'after',
      `
Examples:
  w2b plan -p parameters/demo.yaml --local .w2b
  w2b plan -p parameters/demo.yaml --local .w2b --destination customers_to_braze --show-values
  w2b plan -p parameters/demo.yaml --local .w2b --json | jq .plans[0].changedFields`,
    )
    .action(async (options: CommandOptions) => {
      exitCode = await planCommand(options);
    });

  withRunOptions(program.command('run').description('Run every enabled destination once, or one of them.'))
    .option('--verbose', "print the functions' logs on stderr")
    .addHelpText(
      'after',
      `
Examples:
  w2b run -p parameters/demo.yaml --local .w2b --warehouse-sql demo/day-1.sql
  w2b run -p parameters/demo.yaml --local .w2b --destination customers_to_braze
  w2b run -p parameters/demo.yaml --local .w2b --approve-deletions
  w2b run -p parameters/demo.yaml --local .w2b --braze-endpoint http://127.0.0.1:4010 --secrets secrets.json --json`,
    )
    .action(async (options: CommandOptions) => {
      exitCode = await runCommand(options);
    });

  try {
    await program.parseAsync([...argv]);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.ok : ExitCode.mistake;
    throw error;
  }
}

const list = (value: string, before: readonly string[]): string[] => [...before, value];

/** The options that plan and run share. */
function withRunOptions(command: Command): Command {
  return command
    .requiredOption('-p, --parameters <file>', 'the parameter file')
    .option('-d, --destination <name>', 'only this destination, enabled or not')
    .requiredOption('--local <dir>', "run on this machine and keep the local cloud's state in this folder")
    .option(
      '--warehouse-sql <file>',
      'SQL to execute on the local warehouse before; may be given several times',
      list,
      [],
    )
    .addOption(
      new Option(
        '--braze-endpoint <url>',
        'send to this Braze in place of the emulator (http only on loopback)',
      ).argParser(brazeEndpoint),
    )
    .option('--secrets <file>', 'a JSON object: secret name to value (a Braze key is a string or {"apiKey": …})')
    .option('--approve-deletions', 'release removals beyond the limits of the deletion guard')
    .option('--retry-rejections', 'send again what Braze refused before')
    .option('--json', 'print one JSON object on stdout and nothing else there');
}

function brazeEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLoopback = url !== undefined && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback)) return text.replace(/\/$/, '');
  throw new InvalidArgumentError('write https://…, or http://127.0.0.1:PORT for a Braze on this machine.');
}
