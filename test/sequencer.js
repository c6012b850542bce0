/**
 * The order of the test files: those that take longest first, so that no core is left with one of them at the end.
 * Jest knows how long a file took the last time; a clean checkout does not, and would begin with the largest files.
 */
import TestSequencer from '@jest/test-sequencer';

const LONGEST_FIRST = [
  '/scenarios/faults',
  '/scenarios/parameter-changes',
  '/cdk/gates',
  '/cli/',
  '/scenarios/',
  '/demo/',
  '/chaos/',
];

const rank = (path) => {
  const at = LONGEST_FIRST.findIndex((part) => path.includes(part));
  return at === -1 ? LONGEST_FIRST.length : at;
};

export default class LongestFirst extends TestSequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((one, other) => rank(one.path) - rank(other.path));
  }
}
