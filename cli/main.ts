/** The `w2b` command: its words, options and help. What they do is in the files beside this one. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { discardCommand, heldCommand } from './held.ts';
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

  withLocalOptions(program.command('held').description('Show what waits for a person: who, how many, and why.'))
    .addHelpText('after', '\nExamples:\n  w2b held -p parameters/demo.yaml --local .w2b')
    .action(async (options: CommandOptions) => {
      exitCode = await heldCommand(options);
    });

  withLocalOptions(
    program
      .command('discard')
      .description('Leave held effects out from now on, without asking again for 30 days. Sends nothing.')
      .argument('<effects...>', 'deletions, budget, group:NAME, attribute:NAME, or all'),
  )
    .option('--by <name>', "who decides (this machine's user unless given)")
    .addHelpText(
      'after',
      '\nExamples:\n  w2b discard attribute:email -p parameters/demo.yaml --local .w2b -d customers_to_braze --by jane',
    )
    .action(async (effects: string[], options: CommandOptions) => {
      exitCode = await discardCommand(effects, options);
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

/** The options of every command that works on the local cloud. */
const withLocalOptions = (command: Command): Command =>
  command
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
    .option('--json', 'print one JSON object on stdout and nothing else there');

/** The options that plan and run share. */
const withRunOptions = (command: Command): Command =>
  withLocalOptions(command)
    .option('--approve-deletions', 'release held deletions')
    .option(
      '--approve <effect>',
      'release what is held: deletions, budget, group:NAME, attribute:NAME, or all; may be given several times',
      list,
      [],
    )
    .option('--by <name>', "who approves (this machine's user unless given)")
    .option('--retry-rejections', 'send again what Braze refused before')
    .option('--resync', 'send every attribute again, whatever the ledger says')
    .option('--with-groups', 'with --resync: subscription states too, over what users have chosen since')
    .option('--rekey', "go on although the model's primary key is another one");

function brazeEndpoint(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isLoopback = url !== undefined && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback)) return text.replace(/\/$/, '');
  throw new InvalidArgumentError('write https://…, or http://127.0.0.1:PORT for a Braze on this machine.');
}
