/** The metrics that the functions emit, as CloudWatch finds them: the same names and dimensions as lambdas/common/telemetry.ts. */
import { Duration } from 'aws-cdk-lib';
import { MathExpression, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { METRIC_NAMESPACE, METRICS, type MetricName, SERVICE } from '../shared/metrics.ts';

/** Returns a metric of one destination: counts are summed, of durations and percentages the largest is taken. */
export const destinationMetric = (
  environment: string,
  destination: string,
  name: MetricName,
  period = Duration.minutes(5),
): Metric =>
  new Metric({
    namespace: METRIC_NAMESPACE,
    metricName: METRICS[name].name,
    dimensionsMap: { service: SERVICE, Environment: environment, Destination: destination },
    statistic: METRICS[name].unit === 'Count' ? Stats.SUM : Stats.MAXIMUM,
    period,
    label: METRICS[name].name,
  });

/**
 * Returns a metric with zero where there is no data, so that an alarm looks at periods that follow one another. Without
 * it, CloudWatch would look further back for as many periods that have data.
 * Source: Amazon CloudWatch, 'Configuring how CloudWatch alarms treat missing data'.
 */
export const filledWithZero = (metric: Metric, period: Duration): MathExpression =>
  new MathExpression({ expression: 'FILL(counted, 0)', usingMetrics: { counted: metric }, period });
