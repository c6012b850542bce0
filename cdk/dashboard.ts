/** The dashboard of an environment: alarms, then a row for each destination, queue and kind of function. */
import { Duration } from 'aws-cdk-lib';
import {
  AlarmStatusWidget,
  Dashboard,
  GraphWidget,
  type IAlarm,
  type IMetric,
  type IWidget,
  Stats,
  TextWidget,
} from 'aws-cdk-lib/aws-cloudwatch';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { MetricName } from '../shared/metrics.ts';
import { destinationMetric } from './destination-metrics.ts';

export type Named<T> = readonly (readonly [name: string, T])[];

export type DashboardProps = {
  readonly environment: string;
  /** By name; the note follows the name in the row's title. */
  readonly destinations: Named<{ readonly note?: string }>;
  readonly queues: Named<IQueue>;
  readonly deadLetters: Named<IQueue>;
  readonly functions: Named<IFunction>;
  readonly alarms: readonly IAlarm[];
};

const WIDTH = 24;
const MAX_ALARMS_A_WIDGET = 100;

/** Metrics of a destination's row, one graph each; those on the right have their own axis. */
const GRAPHS = [
  { title: 'Found', left: ['extracted', 'unchanged', 'added', 'changed', 'removed', 'held'], right: [] },
  { title: 'Sent', left: ['accepted', 'rejected', 'deleted'], right: ['rejectedPercent'] },
  { title: 'Braze', left: ['requests', 'dataPoints'], right: ['throttled'] },
  { title: 'Runs', left: ['runSucceeded', 'runFailed', 'runHeld', 'runSkipped'], right: ['durationMs'] },
] as const satisfies readonly { title: string; left: readonly MetricName[]; right: readonly MetricName[] }[];

/** Returns the dashboard `w2b-<environment>`. */
export function dashboard(scope: Construct, id: string, props: DashboardProps): Dashboard {
  const { environment, destinations, queues, deadLetters, functions, alarms } = props;
  return new Dashboard(scope, id, {
    dashboardName: `w2b-${environment}`,
    defaultInterval: Duration.days(1),
    widgets: [
      ...chunks(alarms, MAX_ALARMS_A_WIDGET).map((some) => [
        new AlarmStatusWidget({ title: 'Alarms', alarms: some, width: WIDTH, height: 4 }),
      ]),
      ...destinations.flatMap(([name, { note }]) => [
        [heading(`${name}${note === undefined ? '' : ` (${note})`}`)],
        destinationRow(environment, name),
      ]),
      [heading('Queues')],
      ...queues.map(([name, queue]) => queueRow(name, queue)),
      [
        graph('Dead letters', WIDTH, {
          left: deadLetters.map(([name, queue]) => visible(queue, name)),
        }),
      ],
      [heading('Functions')],
      functionRow(functions),
    ],
  });
}

const heading = (text: string): IWidget => new TextWidget({ markdown: `## ${text}`, width: WIDTH, height: 1 });

type Axes = { readonly left: IMetric[]; readonly right?: IMetric[] };

const graph = (title: string, width: number, axes: Axes): IWidget =>
  new GraphWidget({ title, width, height: 6, ...axes, leftYAxis: { min: 0 }, rightYAxis: { min: 0 } });

const destinationRow = (environment: string, destination: string): IWidget[] =>
  GRAPHS.map(({ title, left, right }) => {
    const metrics = (names: readonly MetricName[]) =>
      names.map((name) => destinationMetric(environment, destination, name));
    return graph(`${destination}: ${title}`, WIDTH / GRAPHS.length, { left: metrics(left), right: metrics(right) });
  });

const visible = (queue: IQueue, label: string): IMetric =>
  queue.metricApproximateNumberOfMessagesVisible({ label, statistic: Stats.MAXIMUM });

const queueRow = (name: string, queue: IQueue): IWidget[] => [
  graph(`${name}: age of the oldest message`, WIDTH / 2, {
    left: [queue.metricApproximateAgeOfOldestMessage({ label: 'Age', statistic: Stats.MAXIMUM })],
  }),
  graph(`${name}: messages`, WIDTH / 2, {
    left: [
      visible(queue, 'Visible'),
      queue.metricApproximateNumberOfMessagesNotVisible({ label: 'In flight', statistic: Stats.MAXIMUM }),
      queue.metric('ApproximateNumberOfMessagesDelayed', { label: 'Delayed', statistic: Stats.MAXIMUM }),
    ],
  }),
];

const functionRow = (functions: Named<IFunction>): IWidget[] => {
  const each = (metric: (of: IFunction, label: string) => IMetric) => functions.map(([name, of]) => metric(of, name));
  const width = WIDTH / 4;
  return [
    graph('Errors', width, { left: each((of, label) => of.metricErrors({ label })) }),
    graph('Duration, 95th percentile', width, {
      left: each((of, label) => of.metricDuration({ label, statistic: Stats.p(95) })),
    }),
    graph('Throttles', width, { left: each((of, label) => of.metricThrottles({ label })) }),
    graph('Concurrency', width, {
      left: each((of, label) => of.metric('ConcurrentExecutions', { label, statistic: Stats.MAXIMUM })),
    }),
  ];
};

const chunks = <T>(items: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
