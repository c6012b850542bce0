import fc from 'fast-check';
import { lookupPace, type Pace, requestPace } from '../../../shared/braze/pace.ts';
import { MINUTE_MS, SECOND_MS } from '../../../shared/time.ts';
import { fakeClock } from '../fake-clock.ts';

/** Writers that are always eager, in invocations that end at random: returns when each request was sent. */
function sendAll(
  newPace: (clock: ReturnType<typeof fakeClock>) => Pace,
  writers: number,
  workMs: readonly number[],
): number[] {
  const times: number[] = [];
  for (let writer = 0; writer < writers; writer++) {
    const clock = fakeClock(0);
    let pace = newPace(clock);
    for (const ms of workMs) {
      clock.advance(pace.waitMs());
      pace.take();
      times.push(clock.now());
      clock.advance(Math.abs(ms));
      // An invocation ends (with a new environment after it) only when its rest is over.
      if (ms < 0) {
        clock.advance(pace.restMs());
        pace = newPace(clock);
      }
    }
  }
  return times.sort((a, b) => a - b);
}

const mostWithin = (times: readonly number[], windowMs: number): number =>
  Math.max(...times.map((start) => times.filter((time) => time >= start && time < start + windowMs).length));

test('all writers of an app together never send more requests than its rate, in any window', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 2, max: 8 }),
      fc.array(fc.integer({ min: -400, max: 400 }), { minLength: 10, maxLength: 40 }),
      (perSecond, writers, workMs) => {
        const times = sendAll((clock) => requestPace(clock, perSecond, writers), writers, workMs);
        for (const windowMs of [SECOND_MS, 3 * SECOND_MS]) {
          // Each writer may begin its window with a request: so many more than the rate itself, at the very most.
          expect(mostWithin(times, windowMs)).toBeLessThanOrEqual(
            Math.ceil((perSecond * windowMs) / SECOND_MS) + writers,
          );
        }
        // One writer never sends twice within its interval.
        const [own] = [sendAll((clock) => requestPace(clock, perSecond, writers), 1, workMs)];
        const gaps = own.slice(1).map((time, index) => time - (own[index] ?? 0));
        expect(Math.min(...gaps)).toBeGreaterThanOrEqual((SECOND_MS * writers) / perSecond - 0.001);
      },
    ),
  );
});

test('lookups are paced by the minute', () => {
  const times = sendAll(
    (clock) => lookupPace(clock, 30, 2),
    1,
    Array.from({ length: 20 }, () => 0),
  );
  expect(times.slice(0, 3)).toEqual([0, 4000, 8000]);
  expect(mostWithin(times, MINUTE_MS)).toBe(15);
});

test('a pause holds back the next turn, never shortens one, and is no rest', () => {
  const clock = fakeClock();
  const pace = requestPace(clock, 1, 2);
  expect([pace.waitMs(), pace.restMs()]).toEqual([0, 0]);
  pace.take();
  expect([pace.waitMs(), pace.restMs()]).toEqual([2000, 2000]);
  pace.pause(500);
  expect(pace.waitMs()).toBe(2000);
  pace.pause(7000);
  pace.pause(1000);
  expect([pace.waitMs(), pace.restMs()]).toEqual([7000, 2000]);
  clock.advance(6999);
  expect([pace.waitMs(), pace.restMs()]).toEqual([1, 0]);
  clock.advance(10);
  expect(pace.waitMs()).toBe(0);
});
