/** Tests run as ECMAScript modules; swc strips the types (`npm run check` is what checks them). */
export default {
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  testEnvironment: 'node',
  testSequencer: '<rootDir>/test/sequencer.js',
  testTimeout: 60_000,
  // Scenarios wait as often as they work, so that all cores can be used.
  maxWorkers: '100%',
};
