import { scheduleIntervalMinutes, scheduleProblem, timeZoneProblem } from '../../../shared/parameters/schedule.ts';

const HOUR = 60;
const DAY = 24 * HOUR;

describe('a schedule that the service takes', () => {
  test.each<[string, number | undefined]>([
    ['rate(1 minute)', 1],
    ['rate(15 minutes)', 15],
    ['rate(1 hour)', HOUR],
    ['rate(36 hours)', 36 * HOUR],
    ['rate(1 day)', DAY],
    ['rate(30 days)', 30 * DAY],
    ['at(2030-01-31T06:00:00)', undefined],
    ['cron(* * * * ? *)', 1],
    ['cron(0/15 * * * ? *)', 15],
    ['cron(*/5 * * * ? *)', 5],
    ['cron(5,35 14 * * ? *)', DAY - 30],
    ['cron(0 6 * * ? *)', DAY],
    ['cron(0 6,18 * * ? *)', 12 * HOUR],
    ['cron(0 6,7 * * ? *)', 23 * HOUR],
    ['cron(0 18 ? * MON-FRI *)', 3 * DAY],
    ['cron(0 18 ? * mon-fri *)', 3 * DAY],
    ['cron(0/10 * ? * MON-FRI *)', 2 * DAY + 10],
    ['cron(0/5 8-17 ? * MON-FRI *)', 2 * DAY + 14 * HOUR + 5],
    // The range of hours wraps, as in the service's own example.
    ['cron(0/30 20-2 ? * MON-FRI *)', 2 * DAY + 30],
    ['cron(0 8 1 * ? *)', 31 * DAY],
    ['cron(0 8 1 JAN,JUL ? *)', 184 * DAY],
    ['cron(0 8 L * ? *)', 31 * DAY],
    ['cron(0 8 LW * ? *)', 33 * DAY],
    ['cron(0 8 1W * ? *)', 33 * DAY],
    ['cron(0 8 15W * ? *)', 32 * DAY],
    ['cron(0 8 1-31/30 * ? *)', 30 * DAY],
    ['cron(0 8 29 2 ? *)', 1461 * DAY],
    ['cron(15 10 ? * 6L *)', 35 * DAY],
    ['cron(15 10 ? * L *)', 7 * DAY],
    ['cron(0 8 ? * 3#2 *)', 35 * DAY],
    ['cron(0 8 ? FEB MON#5 *)', 10_227 * DAY],
    ['cron(0 8 1 1 ? 2030-2040)', 366 * DAY],
    ['cron(0 8 1 1 ? 2030/5)', 1827 * DAY],
    ['cron(0 8 1 1 ? 2030)', undefined],
    ['cron(0 8,9 1 1 ? 2030)', HOUR],
    ['cron(0-15/1 8-8 ? * 2,3,4,5,6,7 *)', 2 * DAY - 15],
    ['cron(0  6  *  *  ?  *)', DAY],
  ])('%s runs again after at most %p minutes', (expression, minutes) => {
    expect(scheduleProblem(expression)).toBeUndefined();
    expect(scheduleIntervalMinutes(expression)).toBe(minutes);
  });
});

describe('a schedule that the service would refuse', () => {
  test.each([
    ['', 'write rate(1 hour)'],
    ['hourly', 'write rate(1 hour)'],
    ['rate(1 hour) ', 'write rate(1 hour)'],
    ['Rate(1 hour)', 'write rate(1 hour)'],
    ['rate (1 hour)', 'write rate(1 hour)'],
    ['*/5 * * * *', 'write cron('],
    ['0 6 * * ? *', 'write cron('],
    ['rate(1 hours)', 'write rate(1 hour)'],
    ['rate(5 hour)', 'write rate(5 hours)'],
    ['rate(0 minutes)', 'a whole number'],
    ['rate(-1 minutes)', 'a whole number'],
    ['rate(1.5 hours)', 'a whole number'],
    ['rate(90 seconds)', 'minutes, hours or days'],
    ['rate(1 week)', 'minutes, hours or days'],
    ['rate(5minutes)', 'a whole number'],
    ['rate()', 'a whole number'],
    ['at(2030-01-31)', 'a date and time'],
    ['at(2030-01-31T06:00:00Z)', 'a date and time'],
    ['at(2030-02-29T06:00:00)', 'a date and time'],
    ['at(2030-01-31T24:00:00)', 'a date and time'],
    ['cron()', 'six fields'],
    ['cron(0 6 * * *)', 'six fields'],
    ['cron(0 0 6 * * ? *)', 'six fields'],
    ['cron(0 6 * * * *)', 'must be ?'],
    ['cron(0 6 ? * ? *)', 'must be ?'],
    ['cron(0 6 1 * MON *)', 'must be ?'],
    ['cron(60 6 * * ? *)', 'minutes takes 0-59'],
    ['cron(*/60 * * * ? *)', 'minutes takes 0-59'],
    ['cron(0/0 * * * ? *)', 'minutes takes 0-59'],
    ['cron(? 6 * * ? *)', 'minutes takes 0-59'],
    ['cron(0 24 * * ? *)', 'hours takes 0-23'],
    ['cron(0 6- * * ? *)', 'hours takes 0-23'],
    ['cron(0 6, * * ? *)', 'hours takes 0-23'],
    ['cron(0 6-7-8 * * ? *)', 'hours takes 0-23'],
    ['cron(0 6/1/1 * * ? *)', 'hours takes 0-23'],
    ['cron(0 6 0 * ? *)', 'day-of-month takes 1-31'],
    ['cron(0 6 32W * ? *)', 'day-of-month takes 1-31'],
    ['cron(0 6 W * ? *)', 'day-of-month takes 1-31'],
    ['cron(0 6 1,L * ? *)', 'day-of-month takes 1-31'],
    ['cron(0 6 * 13 ? *)', 'month takes 1-12 or JAN-DEC'],
    ['cron(0 6 * JUNE ? *)', 'month takes 1-12 or JAN-DEC'],
    ['cron(0 6 ? * 0 *)', 'day-of-week takes 1-7 or SUN-SAT'],
    ['cron(0 6 ? * 8 *)', 'day-of-week takes 1-7 or SUN-SAT'],
    ['cron(0 6 ? * 3#6 *)', 'day-of-week takes 1-7 or SUN-SAT'],
    ['cron(0 6 ? * 3#1,6#3 *)', 'day-of-week takes 1-7 or SUN-SAT'],
    ['cron(0 6 ? * 2/2 *)', 'day-of-week takes 1-7 or SUN-SAT'],
    ['cron(0 6 * * ? 1969)', 'year takes 1970-2199'],
    ['cron(0 6 * * ? 2200)', 'year takes 1970-2199'],
    ['cron(0 6 * * ? 2030-2029)', 'year takes 1970-2199'],
    ['cron(0 6 30 FEB ? *)', 'days that never come'],
    ['cron(0 6 29 FEB ? 2031)', 'days that never come'],
    [`cron(${'0,'.repeat(130)}0 6 * * ? *)`, '256 characters'],
  ])('%p is refused with advice', (expression, words) => {
    expect(scheduleProblem(expression)).toContain(words);
    expect(scheduleIntervalMinutes(expression)).toBeUndefined();
  });
});

describe('a time zone', () => {
  test.each([
    'UTC',
    'Europe/Berlin',
    'America/New_York',
    'US/Pacific',
    'Asia/Kolkata',
    'America/Argentina/Buenos_Aires',
  ])('%s is known', (name) => {
    expect(timeZoneProblem(name)).toBeUndefined();
  });

  test.each([
    ['Europe/Berln', "did you mean 'Europe/Berlin'?"],
    ['europe/berlin', "did you mean 'Europe/Berlin'?"],
    ['EUROPE/BERLIN', "did you mean 'Europe/Berlin'?"],
    ['+02:00', 'named like Europe/Berlin'],
    ['Mars/Olympus_Mons', 'named like Europe/Berlin'],
  ])('%s is refused with advice', (name, words) => {
    expect(timeZoneProblem(name)).toContain(words);
  });
});
