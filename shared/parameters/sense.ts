/**
 * What is wrong with single values that have the right form: SQL texts, endpoints, secrets, schedules, rules.
 *
 * Pure, and over a draft: it says what it can of the parts that are well-formed, and never throws.
 */
import { type Draft, type DraftApp, type DraftDestination, type DraftModel, members } from './draft.ts';
import { endpointProblem } from './endpoint.ts';
import { patternProblem } from './pattern.ts';
import { type Finding, isMap, type Path, quote } from './problems.ts';
import { type PlacedRule, rulesOf } from './rules.ts';
import { scheduleProblem, timeZoneProblem } from './schedule.ts';
import { SecretId } from './schema.ts';
import { secretFinding } from './secret.ts';
import { predicateProblem, queryProblem, type SqlProblem } from './sql-text.ts';

/** Returns what is wrong with the single values of a draft. */
export function senseFindings(draft: Draft): Finding[] {
  return [
    ...members(draft.apps).flatMap(([name, app]) => appFindings(app, ['apps', name])),
    ...members(draft.models).flatMap(([name, model]) => modelFindings(model, name)),
    ...members(draft.destinations).flatMap(([name, destination]) =>
      scheduleFindings(destination, ['destinations', name]),
    ),
  ];
}

function appFindings(app: DraftApp, path: Path): Finding[] {
  const endpoint = app.endpoint ? endpointProblem(app.endpoint, app.allowEndpoint === true) : undefined;
  return [
    ...(endpoint ? [{ path: [...path, 'endpoint'], ...endpoint }] : []),
    ...secretFindings(app.apiKeySecret, [...path, 'apiKeySecret']),
    ...secretFindings(app.secret, [...path, 'secret']),
  ];
}

/** What the schema refuses has been reported with it. */
function secretFindings(value: unknown, path: Path): Finding[] {
  const secret = SecretId.safeParse(value);
  const finding = secret.success ? secretFinding(secret.data, path) : undefined;
  return finding ? [finding] : [];
}

function modelFindings(model: DraftModel, name: string): Finding[] {
  const path = ['models', name];
  return [
    ...sqlFindings(model.query, queryProblem, [...path, 'query']),
    ...sqlFindings(model.where, predicateProblem, [...path, 'where']),
    ...rulesOf(name, model).flatMap(ruleFindings),
  ];
}

const sqlFindings = (text: unknown, problemOf: (text: string) => SqlProblem | undefined, path: Path): Finding[] => {
  const problem = typeof text === 'string' && text !== '' ? problemOf(text) : undefined;
  return problem ? [{ path, ...problem }] : [];
};

const MAX_LEVELS = 20;

function ruleFindings({ rule, path, level }: PlacedRule): Finding[] {
  const tooDeep = {
    path,
    found: `a rule at level ${level}`,
    allowed: `at most ${MAX_LEVELS} levels`,
    hint: 'name a part of it as a group of its own',
  };
  return [
    ...(level === MAX_LEVELS + 1 ? [tooDeep] : []),
    ...sqlFindings(rule.sql, predicateProblem, [...path, 'sql']),
    ...valueFindings(rule.op, rule.value, [...path, 'value']),
  ];
}

/** A longer time would leave the range of the warehouse's timestamps. */
const MAX_YEARS = 1000;
const UNITS_A_YEAR: Readonly<Record<string, number>> = {
  minute: 525_600,
  hour: 8_760,
  day: 365,
  week: 52,
  month: 12,
  year: 1,
};

function valueFindings(op: unknown, value: unknown, path: Path): Finding[] {
  if (op === 'matches' && typeof value === 'string') {
    const problem = patternProblem(value);
    return problem === undefined
      ? []
      : [{ path, found: quote(value), allowed: 'a POSIX regular expression', hint: problem }];
  }
  if (['gt', 'gte', 'lt', 'lte'].includes(String(op)) && typeof value === 'boolean') {
    return [
      {
        path,
        found: String(value),
        allowed: 'a number or text to compare with',
        hint: 'for true and false there are is_true and is_false',
      },
    ];
  }
  if (
    ['in', 'not_in'].includes(String(op)) &&
    Array.isArray(value) &&
    new Set(value.map((item) => typeof item)).size > 1
  ) {
    return [
      {
        path,
        found: 'a list of several kinds of value',
        allowed: 'values of one kind',
        hint: 'put numbers into quotes where the column is a text',
      },
    ];
  }
  return ['within_last', 'before_last', 'within_next'].includes(String(op)) ? durationFindings(value, path) : [];
}

function durationFindings(duration: unknown, path: Path): Finding[] {
  const [, count, unit = ''] = /^(\d{1,6}) (\w+?)s?$/.exec(String(duration)) ?? [];
  const unitsAYear = UNITS_A_YEAR[unit];
  if (count === undefined || unitsAYear === undefined) return [];
  const isRight = Number(count) > 0 && Number(count) <= MAX_YEARS * unitsAYear;
  return isRight
    ? []
    : [{ path, found: quote(String(duration)), allowed: `more than nothing, at most ${MAX_YEARS} years` }];
}

function scheduleFindings({ schedule }: DraftDestination, path: Path): Finding[] {
  const at = [...path, 'schedule'];
  if (!isMap(schedule)) return expressionFindings(schedule, at);
  const { timezone } = schedule;
  const hint = typeof timezone === 'string' && timezone !== '' ? timeZoneProblem(timezone) : undefined;
  const zone = { path: [...at, 'timezone'], found: quote(String(timezone)), allowed: 'an IANA time zone', hint };
  return [...expressionFindings(schedule.expression, [...at, 'expression']), ...(hint === undefined ? [] : [zone])];
}

function expressionFindings(expression: unknown, path: Path): Finding[] {
  const hint = typeof expression === 'string' && expression !== '' ? scheduleProblem(expression) : undefined;
  return hint === undefined
    ? []
    : [{ path, found: quote(String(expression)), allowed: 'an EventBridge schedule', hint }];
}
