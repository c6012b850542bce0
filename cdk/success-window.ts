/** How long a destination may go without a successful run before somebody is told. */

import { scheduleIntervalMinutes } from '../shared/parameters/schedule.ts';
import { type Destination, scheduleOf } from '../shared/parameters/schema.ts';

export type Window = { readonly periodMinutes: number; readonly periods: number };

const HOUR_MINUTES = 60;
/** Source: Amazon CloudWatch API Reference, 'PutMetricAlarm' (Period): seven days, with periods of an hour or more. */
const MAX_WINDOW_MINUTES = 7 * 24 * HOUR_MINUTES;
/** A run takes some minutes itself: shorter windows would be a matter of chance. */
const MIN_WINDOW_MINUTES = 30;

/**
 * Returns twice the longest time between two starts of a destination, as periods of an alarm. Undefined when it has no
 * schedule, is disabled, runs only once, or so seldom that CloudWatch cannot look back that far.
 */
export function successWindow(destination: Destination): Window | undefined {
  const schedule = destination.enabled ? scheduleOf(destination) : undefined;
  const interval = schedule ? scheduleIntervalMinutes(schedule.expression) : undefined;
  if (!schedule || interval === undefined) return undefined;
  const windowMinutes = Math.max(MIN_WINDOW_MINUTES, 2 * interval + (schedule.flexibleMinutes ?? 0));
  const periodMinutes = windowMinutes < HOUR_MINUTES ? 5 : HOUR_MINUTES;
  const periods = Math.ceil(windowMinutes / periodMinutes);
  return periods * periodMinutes <= MAX_WINDOW_MINUTES ? { periodMinutes, periods } : undefined;
}
