/** All metrics, in the words of the parameter file. Zero is sent too, so that every series exists. */

export const METRICS = {
  extracted: { name: 'RowsExtracted', unit: 'Count' },
  unchanged: { name: 'RecordsUnchanged', unit: 'Count' },
  added: { name: 'RecordsAdded', unit: 'Count' },
  changed: { name: 'RecordsChanged', unit: 'Count' },
  removed: { name: 'RecordsRemoved', unit: 'Count' },
  held: { name: 'DeletionsHeld', unit: 'Count' },
  accepted: { name: 'RecordsAccepted', unit: 'Count' },
  rejected: { name: 'RecordsRejected', unit: 'Count' },
  deleted: { name: 'RecordsDeleted', unit: 'Count' },
  requests: { name: 'BrazeRequests', unit: 'Count' },
  dataPoints: { name: 'DataPoints', unit: 'Count' },
  durationMs: { name: 'RunDuration', unit: 'Milliseconds' },
  runSucceeded: { name: 'RunSucceeded', unit: 'Count' },
  runFailed: { name: 'RunFailed', unit: 'Count' },
  runHeld: { name: 'RunHeld', unit: 'Count' },
  runSkipped: { name: 'RunSkipped', unit: 'Count' },
  rejectedPercent: { name: 'RejectedPercent', unit: 'Percent' },
  throttled: { name: 'BrazeThrottled', unit: 'Count' },
} as const;

export type MetricName = keyof typeof METRICS;

/** The namespace of all metrics; their dimensions are service, Environment and Destination. */
export const METRIC_NAMESPACE = 'WarehouseToBraze';

/** The service dimension that Powertools adds to every metric. */
export const SERVICE = 'warehouse-to-braze';

export type Metrics = {
  /** Adds values of one destination. */
  readonly add: (destination: string, values: Partial<Record<MetricName, number>>) => void;
};
