/** The streams of chance of a seed, each for one purpose (see random.ts). */
export const FAULT_MIX = 1;
export const FAULTS = 2;
export const LATENCY = 3;
export const HISTORY = 4;
export const CLOCK = 5;
export const DELIVERY = 6;
export const BRAZE = 7;
export const WAREHOUSE = 8;
export const POOL = 9;
