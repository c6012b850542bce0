/** Logs and metrics of a function, by Powertools for AWS Lambda. */
import { Logger } from '@aws-lambda-powertools/logger';
import { Metrics as Emf, MetricUnit } from '@aws-lambda-powertools/metrics';
import type { Log } from '../../shared/log.ts';
import { METRIC_NAMESPACE, METRICS, type MetricName, type Metrics, SERVICE } from '../../shared/metrics.ts';

/** Returns structured logs. What is logged is decided in shared/: no event and no message body ever is. */
export function telemetryLog(environment: string): Log {
  const logger = new Logger({ serviceName: SERVICE, persistentLogAttributes: { environment } });
  return {
    info: (event, data = {}) => logger.info(event, data),
    warn: (event, data = {}) => logger.warn(event, data),
    error: (event, data = {}) => logger.error(event, data),
  };
}

const isMetric = (name: string): name is MetricName => Object.hasOwn(METRICS, name);

/** Returns metrics in the embedded metric format: one line of log for each call. */
export const telemetryMetrics = (environment: string): Metrics => ({
  add: (destination, values) => {
    const emf = new Emf({
      namespace: METRIC_NAMESPACE,
      serviceName: SERVICE,
      defaultDimensions: { Environment: environment, Destination: destination },
    });
    for (const [name, value] of Object.entries(values)) {
      if (isMetric(name) && value !== undefined)
        emf.addMetric(METRICS[name].name, MetricUnit[METRICS[name].unit], value);
    }
    emf.publishStoredMetrics();
  },
});
