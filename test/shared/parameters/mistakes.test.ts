import { changed, EXAMPLE, errorOf, FILE, lineOf } from './example.ts';

type Mistake = {
  /** What the person did. */
  readonly name: string;
  readonly text: string;
  readonly path: string;
  /** A text in the line that must be named. */
  readonly at: string;
  readonly words: readonly string[];
};

const mistake = (
  name: string,
  change: readonly [string, string],
  path: string,
  at: string,
  ...words: string[]
): Mistake => ({
  name,
  text: changed(change),
  path,
  at,
  words,
});

const MODEL = 'models.customers';
const DESTINATION = 'destinations.customers_to_braze';
const RULE = `${MODEL}.groups.vip`;
const VIP = '{ sql: "ltv > 100" }';
const LTV_RULE = '{ property: ltv, op: gte, value: 40 }';
const CUSTOM = 'lifetime_value: ltv\n';

const rule = (name: string, text: string, below: string, ...words: string[]): Mistake =>
  mistake(name, [VIP, text], `${RULE}${below}`, 'vip:', ...words);
const custom = (name: string, text: string, key: string, ...words: string[]): Mistake =>
  mistake(name, [CUSTOM, `${text}: ltv\n`], `${DESTINATION}.customAttributes${key}`, text, ...words);
const query = (name: string, text: string, ...words: string[]): Mistake =>
  mistake(
    name,
    [EXAMPLE.slice(EXAMPLE.indexOf('query: |'), EXAMPLE.indexOf('    primaryKey')), `query: ${JSON.stringify(text)}\n`],
    `${MODEL}.query`,
    'query:',
    ...words,
  );
const predicate = (name: string, text: string, ...words: string[]): Mistake =>
  mistake(
    name,
    ['primaryKey:', `where: ${JSON.stringify(text)}\n    primaryKey:`],
    `${MODEL}.where`,
    'where:',
    ...words,
  );
const schedule = (text: string, ...words: string[]): Mistake =>
  mistake(
    `the schedule ${text}`,
    ['rate(1 hour) ', `${JSON.stringify(text)} `],
    `${DESTINATION}.schedule`,
    'schedule:',
    ...words,
  );
const endpoint = (text: string, ...words: string[]): Mistake =>
  mistake(
    `the endpoint ${text}`,
    ['https://rest.iad-01.braze.com', text],
    'apps.braze.endpoint',
    'endpoint:',
    ...words,
  );
const key = (text: string, ...words: string[]): Mistake =>
  mistake(
    `the key ${text.slice(0, 20)} in place of its name`,
    ['braze/rest-api-key', text],
    'apps.braze.apiKeySecret',
    'apiKeySecret:',
    ...words,
  );

const MISTAKES: readonly Mistake[] = [
  // Shape
  mistake(
    'an unknown key at the top',
    ['models:', 'model:'],
    'model',
    'model:',
    "'model'",
    'environment, alarmEmail, apps, models',
    "did you mean 'models'?",
  ),
  mistake(
    'a missing part',
    ['environment: production ', '# '],
    'environment',
    'apps:',
    'found nothing',
    'lower-case letters',
    'Names the stack',
  ),
  mistake(
    'a number where a text belongs',
    ['database: dev', 'database: 12'],
    'apps.warehouse.database',
    'database:',
    'found the number 12, allowed: text',
    'quotes',
  ),
  mistake(
    'true where a text belongs',
    ['app: warehouse', 'app: true'],
    `${MODEL}.app`,
    'app: true',
    'found true',
    'quotes',
  ),
  mistake(
    'a list where a text belongs',
    ['app: warehouse', 'app: [warehouse]'],
    `${MODEL}.app`,
    'app: [',
    'found a list of 1',
  ),
  mistake(
    'a map where a text belongs',
    ['database: dev', 'database: { name: dev }'],
    'apps.warehouse.database',
    'database:',
    "found a map with 'name'",
  ),
  mistake(
    'a text where a map belongs',
    ['deletionGuard: {', 'deletionGuard: 5 #'],
    `${DESTINATION}.deletionGuard`,
    'deletionGuard:',
    'found the number 5',
    'a map',
  ),
  mistake(
    'a key without a value',
    ['database: dev', 'database:'],
    'apps.warehouse.database',
    'database:',
    'found nothing',
    'text',
    'Database name',
  ),
  mistake(
    'an empty text',
    ['database: dev', "database: ''"],
    'apps.warehouse.database',
    'database:',
    'an empty text',
    'not empty',
  ),
  mistake(
    'a name with a space',
    ['  braze:', '  "bra ze":'],
    "apps['bra ze']",
    'bra ze',
    "'bra ze'",
    'a letter, then letters',
  ),
  mistake(
    'a name of an environment in upper case',
    ['production ', 'Production '],
    'environment',
    'Production',
    "'Production'",
    'lower-case',
  ),
  mistake(
    'an address without a domain',
    ['apps:\n', 'alarmEmail: me\napps:\n'],
    'alarmEmail',
    'alarmEmail:',
    "'me'",
    'an e-mail address',
  ),
  mistake(
    'an unknown type of app',
    ['type: braze', 'type: brazee'],
    'apps.braze.type',
    'brazee',
    "'brazee'",
    'redshift or braze',
    "did you mean 'braze'?",
  ),
  mistake(
    'an app without a type',
    ['    type: braze\n', ''],
    'apps.braze.type',
    'braze:\n',
    'found nothing',
    'redshift or braze',
  ),
  mistake(
    'an unknown key of an app',
    ['apiKeySecret: ', 'apiKey: '],
    'apps.braze.apiKey',
    'apiKey:',
    "'apiKey'",
    "did you mean 'apiKeySecret'?",
  ),
  mistake(
    'a mistyped key of a destination',
    ['syncMode:', 'syncmode:'],
    `${DESTINATION}.syncmode`,
    'syncmode',
    "did you mean 'syncMode'?",
  ),
  mistake(
    'an unknown sync mode',
    ['syncMode: sync', 'syncMode: additve'],
    `${DESTINATION}.syncMode`,
    'additve',
    'sync, additive or enrich',
    "did you mean 'additive'?",
  ),
  mistake(
    'a number beyond its range',
    ['maxPercent: 10', 'maxPercent: 101'],
    `${DESTINATION}.deletionGuard.maxPercent`,
    'maxPercent',
    'the number 101',
    'from 0 to 100',
  ),
  mistake(
    'a number that is not whole',
    ['maxRecords: 10000', 'maxRecords: 0.5'],
    `${DESTINATION}.deletionGuard.maxRecords`,
    'maxRecords',
    'the number 0.5',
    'a whole number',
  ),
  mistake(
    'no number at all',
    ['maxPercent: 10', 'maxPercent: .nan'],
    `${DESTINATION}.deletionGuard.maxPercent`,
    'maxPercent',
    'NaN',
    'from 0 to 100',
  ),
  mistake(
    'a number of shards in between',
    ['deletionGuard:', 'shards: 3\n    deletionGuard:'],
    `${DESTINATION}.shards`,
    'shards',
    'the number 3',
    '1, 2, 4, 8, 16, 32 or 64',
  ),
  mistake(
    'a number of shards as a text',
    ['deletionGuard:', 'shards: "4"\n    deletionGuard:'],
    `${DESTINATION}.shards`,
    'shards',
    "'4'",
    '1, 2, 4, 8',
  ),
  mistake(
    'a subscription group id that is none',
    ['8f2b5c1e-0000-4000-8000-000000000001', 'news'],
    `${DESTINATION}.subscriptionGroups.high_value_recent_buyers`,
    'news',
    "'news'",
    'a UUID',
  ),
  mistake(
    'a table with a space',
    [EXAMPLE.slice(EXAMPLE.indexOf('query: |'), EXAMPLE.indexOf('    primaryKey')), 'table: my table\n'],
    `${MODEL}.table`,
    'table:',
    "'my table'",
    'public.customers',
  ),
  mistake(
    'a duration in words',
    ['deletionGuard:', 'askAgainAfter: a day\n    deletionGuard:'],
    `${DESTINATION}.askAgainAfter`,
    'askAgainAfter',
    "'a day'",
    '90 days',
  ),
  mistake(
    'a very long query',
    ['SELECT c.', `SELECT ${' '.repeat(50_000)} c.`],
    `${MODEL}.query`,
    'query:',
    'characters',
    'at most 50000',
  ),

  // Mapping and custom attributes
  mistake(
    'a mistyped standard attribute',
    ['email: email', 'emial: email'],
    `${DESTINATION}.mapping.emial`,
    'emial',
    "'emial'",
    "did you mean 'email'?",
    'customAttributes',
  ),
  mistake(
    'a standard attribute in another case',
    ['first_name: first', 'First_Name: first'],
    `${DESTINATION}.mapping.First_Name`,
    'First_Name',
    'lower case: first_name',
  ),
  mistake(
    'a custom attribute under mapping',
    ['first_name: first', 'shoe_size: first'],
    `${DESTINATION}.mapping.shoe_size`,
    'shoe_size',
    'no standard attribute of Braze',
    'customAttributes',
  ),
  mistake(
    'no external_id',
    ['      external_id: customer_id\n', ''],
    `${DESTINATION}.mapping.external_id`,
    'mapping:',
    'found nothing',
    "The model's primary key",
  ),
  mistake(
    'an external_id that is not the primary key',
    ['external_id: customer_id', 'external_id: email'],
    `${DESTINATION}.mapping.external_id`,
    'external_id',
    "'email'",
    "'customer_id'",
  ),
  custom(
    'a standard attribute among the custom ones',
    'country',
    '.country',
    "'country'",
    'standard attribute',
    'mapping',
  ),
  custom(
    'a custom attribute that differs from a standard one in case',
    'Home_City',
    '.Home_City',
    "'home_city'",
    'mapping',
  ),
  custom('a custom attribute with a word of the request', 'push_tokens', '.push_tokens', "'push_tokens'", 'request'),
  custom('a custom attribute that begins with $', '$set', '.$set', "'$set'", 'without $'),
  custom('a custom attribute with a space at its end', '"size "', "['size ']", "'size '", 'without spaces'),
  custom('a custom attribute with a line break', '"a\\nb"', "['a\\nb']", 'without control characters'),
  custom(
    'a very long name of a custom attribute',
    `a${'b'.repeat(255)}`,
    `.a${'b'.repeat(255)}`,
    '256 characters',
    'at most 255',
  ),
  mistake(
    'a custom attribute twice in a list',
    [
      EXAMPLE.slice(EXAMPLE.indexOf('customAttributes:'), EXAMPLE.indexOf('    subscriptionGroups')),
      'customAttributes:\n    - ltv\n    - last_purchase\n    - ltv # again\n',
    ],
    `${DESTINATION}.customAttributes[2]`,
    '# again',
    "'ltv' a second time",
  ),
  mistake(
    'a standard attribute in a list of custom ones',
    [
      EXAMPLE.slice(EXAMPLE.indexOf('customAttributes:'), EXAMPLE.indexOf('    subscriptionGroups')),
      'customAttributes:\n    - ltv\n    - email # here\n',
    ],
    `${DESTINATION}.customAttributes[1]`,
    '# here',
    'mapping',
  ),
  mistake(
    'custom attributes as a text',
    [
      EXAMPLE.slice(EXAMPLE.indexOf('customAttributes:'), EXAMPLE.indexOf('    subscriptionGroups')),
      'customAttributes: ltv\n',
    ],
    `${DESTINATION}.customAttributes`,
    'customAttributes:',
    "'ltv'",
    'a list or a map',
  ),
  mistake(
    'a number as a custom attribute',
    [CUSTOM, 'lifetime_value: 12\n'],
    `${DESTINATION}.customAttributes.lifetime_value`,
    'lifetime_value',
    'the number 12',
    'text, a map or nothing',
  ),
  mistake(
    'an unknown key of a custom attribute',
    [CUSTOM, 'lifetime_value: { column: ltv }\n'],
    `${DESTINATION}.customAttributes.lifetime_value.column`,
    'lifetime_value',
    "'column'",
    'property, type, resolution and minInterval',
  ),
  mistake(
    'an unknown type of a custom attribute',
    [CUSTOM, 'lifetime_value: { property: ltv, type: number }\n'],
    `${DESTINATION}.customAttributes.lifetime_value.type`,
    'lifetime_value',
    "'number'",
    'integer, float',
  ),

  // Rules
  rule(
    'a mistyped operator',
    '{ property: ltv, op: gtee, value: 40 }',
    '.op',
    "'gtee'",
    'eq, ne, gt, gte',
    "did you mean 'gte'?",
  ),
  rule('a sign for an operator', "{ property: ltv, op: '>=', value: 40 }", '.op', "did you mean 'gte'?"),
  rule('a rule without an operator', '{ property: ltv }', '.op', 'found nothing', 'eq, ne'),
  rule('a rule without a value', '{ property: ltv, op: gte }', '.value', 'found nothing', 'text, a number'),
  rule('a rule without a property', '{ op: gte, value: 40 }', '.property', 'found nothing', 'text'),
  rule(
    'a value of an operator that takes none',
    '{ property: ltv, op: exists, value: 40 }',
    '.value',
    "'value'",
    "'exists' takes no value",
  ),
  rule(
    'a list for an operator that takes one value',
    '{ property: ltv, op: eq, value: [1, 2] }',
    '.value',
    'a list of 2',
    'in and not_in',
  ),
  rule(
    'one value for an operator that takes a list',
    '{ property: ltv, op: in, value: 1 }',
    '.value',
    'the number 1',
    'a list',
  ),
  rule('an empty list', '{ property: ltv, op: in, value: [] }', '.value', 'an empty list', 'at least 1'),
  rule('a list of several kinds', '{ property: ltv, op: in, value: [1, a] }', '.value', 'several kinds'),
  rule('a comparison with true', '{ property: ltv, op: gt, value: true }', '.value', 'true', 'is_true'),
  rule(
    'an unknown key of a rule',
    '{ property: ltv, op: gte, valeu: 40, value: 1 }',
    '.valeu',
    "'valeu'",
    "did you mean 'value'?",
  ),
  rule('a mistyped form of a rule', '{ al: [] }', '.al', "'al'", "did you mean 'all'?"),
  rule('an empty rule', '{}', '', 'an empty rule', 'property with op and value'),
  rule('a text as a rule', 'ltv > 100', '', "'ltv > 100'", 'a rule'),
  rule(
    'two forms in one rule',
    '{ all: [{ group: high_value_recent_buyers }], property: ltv, op: exists }',
    '',
    "'all' and 'property' in one rule",
    'one of them',
  ),
  rule(
    'a mistake deep in a rule',
    '{ any: [{ all: [{ property: ltv, op: eqq, value: 1 }] }] }',
    '.any[0].all[0].op',
    "'eqq'",
    "did you mean 'eq'?",
  ),
  rule('an empty list of rules', '{ all: [] }', '.all', 'an empty list', 'at least 1'),
  rule(
    'a duration that is none',
    '{ property: last_purchase, op: within_last, value: 90 }',
    '.value',
    'the number 90',
    '90 days',
  ),
  rule(
    'a duration of nothing',
    '{ property: last_purchase, op: within_last, value: 0 days }',
    '.value',
    "'0 days'",
    'more than nothing',
  ),
  rule(
    'a duration beyond all times',
    '{ property: last_purchase, op: within_last, value: 999999 years }',
    '.value',
    '1000 years',
  ),
  rule('a lookahead', "{ property: email, op: matches, value: '^(?=a)' }", '.value', 'POSIX', "'(?='"),
  rule('an unclosed bracket', "{ property: email, op: matches, value: '[a-z' }", '.value', 'a [ that is not closed'),
  rule(
    'a group that does not exist',
    '{ group: high_value_recent_buyer }',
    '.group',
    "'high_value_recent_buyer'",
    "model 'customers'",
    "did you mean 'high_value_recent_buyers'?",
  ),
  rule('a group that names itself', '{ group: vip }', '.group', 'vip → vip'),
  rule('a semicolon in a predicate', '{ sql: "ltv > 1; ltv < 3" }', '.sql', 'a semicolon in line 1'),
  rule(
    'rules 21 levels deep',
    `${'{ all: ['.repeat(20)}{ property: ltv, op: exists }${'] }'.repeat(20)}`,
    '.all[0]'.repeat(20),
    'at level 21',
    'at most 20 levels',
  ),
  mistake(
    'groups in a circle',
    [
      LTV_RULE,
      '{ group: vip_too }\n      vip_too: { any: [{ group: high_value_recent_buyers }] }\n      rest:\n        all:',
    ],
    `${MODEL}.groups.vip_too.any[0].group`,
    'vip_too:',
    'high_value_recent_buyers → vip_too → high_value_recent_buyers',
  ),

  // References
  mistake(
    'a model that does not exist',
    ['model: customers', 'model: customer'],
    `${DESTINATION}.model`,
    'model: customer',
    "'customer'",
    'a model: customers',
    "did you mean 'customers'?",
  ),
  mistake(
    'an app that does not exist',
    ['app: braze', 'app: brase'],
    `${DESTINATION}.app`,
    'brase',
    "'brase'",
    'a braze app: braze',
  ),
  mistake(
    'a warehouse as the app of a destination',
    ['app: braze', 'app: warehouse # here'],
    `${DESTINATION}.app`,
    '# here',
    "'warehouse', which is a redshift app",
    'a braze app: braze',
  ),
  mistake(
    'a workspace as the app of a model',
    ['app: warehouse', 'app: braze # here'],
    `${MODEL}.app`,
    '# here',
    "'braze', which is a braze app",
    'a redshift app: warehouse',
  ),
  mistake(
    'a name that every object has',
    ['app: warehouse', 'app: constructor'],
    `${MODEL}.app`,
    'constructor',
    "'constructor'",
    'a redshift app',
  ),
  mistake(
    'an audience that does not exist',
    ['deletionGuard:', 'audience: vips\n    deletionGuard:'],
    `${DESTINATION}.audience`,
    'vips',
    "'vips'",
    "did you mean 'vip'?",
  ),
  mistake(
    'a subscription group of no group',
    ['      high_value_recent_buyers: 8f', '      buyers: 8f'],
    `${DESTINATION}.subscriptionGroups.buyers`,
    'buyers: 8f',
    "'buyers'",
    'high_value_recent_buyers or vip',
  ),
  mistake(
    'one subscription group for two groups',
    ['    # audience', '      vip: 8F2B5C1E-0000-4000-8000-000000000001\n    # audience'],
    `${DESTINATION}.subscriptionGroups.vip`,
    'vip: 8F',
    "'high_value_recent_buyers'",
  ),
  mistake(
    'query and table',
    ['primaryKey:', 'table: public.customers\n    primaryKey:'],
    MODEL,
    'customers:',
    "both 'query' and 'table'",
  ),
  mistake(
    'neither query nor table',
    [EXAMPLE.slice(EXAMPLE.indexOf('    query: |'), EXAMPLE.indexOf('    primaryKey')), ''],
    MODEL,
    'customers:',
    "neither 'query' nor 'table'",
  ),
  mistake(
    'workgroup and cluster',
    ['database:', 'cluster: c1\n    database:'],
    'apps.warehouse',
    'warehouse:',
    "both 'workgroup' and 'cluster'",
  ),
  mistake(
    'neither workgroup nor cluster',
    ['    workgroup: analytics', '   '],
    'apps.warehouse',
    'warehouse:',
    "neither 'workgroup' nor 'cluster'",
  ),
  mistake(
    'a cluster without a user',
    [
      'workgroup: analytics           # or: cluster + dbUser\n    database: dev\n    secret:',
      'cluster: c1\n    database: dev\n    #',
    ],
    'apps.warehouse',
    'warehouse:',
    "'cluster'",
  ),
  mistake(
    'a database user beside a workgroup',
    ['database:', 'dbUser: me\n    database:'],
    'apps.warehouse',
    'warehouse:',
    "'dbUser' beside 'workgroup'",
  ),
  mistake(
    'a primary key that the query does not return',
    ['primaryKey: customer_id', 'primaryKey: id'],
    `${MODEL}.primaryKey`,
    'primaryKey',
    "'id'",
    'a column of models.customers.query',
  ),
  mistake(
    'a property that the query does not return',
    ['property: ltv', 'property: lt'],
    `${MODEL}.groups.high_value_recent_buyers.all[0].property`,
    'property: lt',
    "'lt'",
    "did you mean 'ltv'?",
  ),
  mistake(
    'a mapped property that the query does not return',
    ['email: email', 'email: mail'],
    `${DESTINATION}.mapping.email`,
    'email: mail',
    "'mail'",
    "did you mean 'email'?",
  ),
  mistake(
    'a custom property that the query does not return',
    [CUSTOM, 'lifetime_value: { property: ltvv }\n'],
    `${DESTINATION}.customAttributes.lifetime_value.property`,
    'ltvv',
    "did you mean 'ltv'?",
  ),
  mistake(
    'a custom attribute of its own name that the query does not return',
    [CUSTOM, 'lifetime_value:\n'],
    `${DESTINATION}.customAttributes.lifetime_value`,
    'lifetime_value',
    "'lifetime_value'",
    'a column of',
  ),

  // SQL
  query('two statements', 'SELECT 1 AS customer_id; SELECT 2', 'a semicolon in line 1', 'one statement'),
  query('an open literal', "SELECT 'a AS customer_id", 'a literal in line 1 that does not end'),
  query('an open comment', 'SELECT 1 AS customer_id /* x', 'a comment in line 1 that does not end'),
  query('an open parenthesis', 'SELECT\n(1 AS customer_id', 'a ( in line 2 that is not closed'),
  query('a parenthesis too many', 'SELECT 1) AS customer_id', 'a ) too many in line 1'),
  query('only a comment', '-- nothing', 'no SQL'),
  query('a statement that changes the warehouse', 'DELETE FROM customers', 'DELETE at the beginning', 'SELECT or WITH'),
  query('a backslash before a quote', "SELECT 'it\\'s' AS customer_id", 'a backslash before a quote'),
  predicate('a predicate with its WHERE', 'WHERE ltv > 1', 'the word WHERE', 'only the predicate'),
  predicate('a predicate that ends the statement', 'ltv > 1) OR (1 = 1', 'a ) too many'),
  predicate('a predicate with a semicolon at its end', 'ltv > 1;', 'a semicolon', 'without a semicolon'),
  predicate('an empty predicate', '/* todo */', 'no SQL'),

  // Schedules
  schedule('rate(1 hours)', "'rate(1 hours)'", 'write rate(1 hour)'),
  schedule('0 6 * * *', 'write cron('),
  schedule('cron(0 6 * * * *)', 'must be ?'),
  schedule('at(2030-02-30T00:00:00)', 'at takes a date and time'),
  mistake(
    'an unknown time zone',
    ['rate(1 hour) ', '{ expression: rate(1 hour), timezone: Europe/Berln } '],
    `${DESTINATION}.schedule.timezone`,
    'schedule:',
    "'Europe/Berln'",
    "did you mean 'Europe/Berlin'?",
  ),
  mistake(
    'a wrong expression with a time zone',
    ['rate(1 hour) ', '{ expression: rate(1 hours), timezone: Europe/Berlin } '],
    `${DESTINATION}.schedule.expression`,
    'schedule:',
    'write rate(1 hour)',
  ),
  mistake(
    'a schedule as a list',
    ['rate(1 hour) ', '[rate(1 hour)] '],
    `${DESTINATION}.schedule`,
    'schedule:',
    'a list of 1',
    'text or a map',
  ),
  mistake(
    'a mistyped key of a schedule',
    ['rate(1 hour) ', '{ expression: rate(1 hour), timeZone: UTC } '],
    `${DESTINATION}.schedule.timeZone`,
    'schedule:',
    "did you mean 'timezone'?",
  ),

  // Names that become parts of policies
  ...(
    [
      ['cluster', 'cluster: "*"\n    dbUser: reader'],
      ['cluster', 'cluster: "main:other"\n    dbUser: reader'],
      ['dbUser', 'cluster: main\n    dbUser: "*"'],
      ['dbUser', `cluster: main\n    dbUser: '${'$'}{aws:username}'`],
      ['dbUser', 'cluster: main\n    dbUser: main/admin'],
    ] as const
  ).map(([name, text]) =>
    mistake(
      `a policy widened by ${text.replaceAll(/\s+/g, ' ')}`,
      ['workgroup: analytics ', text],
      `apps.warehouse.${name}`,
      `${name}:`,
      'letters, digits',
    ),
  ),
  mistake(
    'a database that is any database',
    ['database: dev', 'database: "*"'],
    'apps.warehouse.database',
    'database:',
    'letters, digits',
  ),
  mistake(
    'a secret that is any secret',
    ['secret: redshift/readonly ', 'secret: "redshift/*" '],
    'apps.warehouse.secret',
    'secret:',
    'the name or ARN of a secret',
  ),

  // Endpoints, secrets and keys
  endpoint('http://rest.iad-01.braze.com', 'https', 'http is only for 127.0.0.1'),
  endpoint('rest.iad-01.braze.com', 'put https:// before it'),
  endpoint('https://sdk.iad-01.braze.com', 'rest.…', 'SDKs'),
  endpoint('https://dashboard-01.braze.com', 'rest.…', 'dashboard'),
  endpoint('https://me:hunter2@rest.iad-01.braze.com', 'a user name or password'),
  endpoint('https://rest.iad-01.braze.com?api_key=hunter2', 'a query or fragment'),
  endpoint('https://rest.iad-01.braze.com/users/track', 'leave out the path'),
  endpoint('braze', 'no web URL'),
  endpoint('https://rest.iad-01.braze.com.example.com', "Braze's own hosts", 'allowEndpoint: true'),
  endpoint('https://proxy.example.com\n    allowEndpoint: false', 'allowEndpoint: true'),
  endpoint('http://127.0.0.1:4567', 'allowEndpoint: true'),
  endpoint('http://proxy.example.com\n    allowEndpoint: true', 'http is only for 127.0.0.1'),
  key('8f2b5c1e-0000-4000-8000-000000000001', "'8f2b…'", 'a UUID', 'name or ARN'),
  key('\'{ "apiKey": "hunter2" }\'', 'JSON', 'AWS Secrets Manager'),
  key('Bearer hunter2hunter2', "'Bear…'", 'an Authorization header'),
  key('0123456789abcdef0123456789abcdef', "'0123…'", 'a key'),
  key('Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaQ', "'Zm9v…'", 'a key'),
  key('my key', "'my k…'", 'name or ARN'),
  ...[
    'alias/aws/sqs',
    '8f2b5c1e-0000-4000-8000-000000000001',
    'arn:aws:kms:eu-central-1:111122223333:alias/w2b',
    'arn:aws:s3:::bucket',
  ].map((text) =>
    mistake(`the KMS key ${text}`, ['apps:', `kmsKey: ${text}\napps:`], 'kmsKey', 'kmsKey:', 'alias/w2b'),
  ),
];

/** Mistakes that make something else wrong, and how often. */
const CONSEQUENCES: Readonly<Record<string, number>> = {
  // A destination names the app as it was meant.
  'a name with a space': 1,
  // external_id is compared with the primary key, whatever that is.
  'a primary key that the query does not return': 1,
};

describe('a mistake in a parameter file is told with its place, what was found and what is allowed', () => {
  test.each(MISTAKES)('$name', ({ text, path, at, words }) => {
    const problems = errorOf(text)?.problems ?? [];
    const told = problems.find(
      (problem) => problem.path === path && words.every((word) => problem.message.includes(word)),
    );
    expect(told ?? problems).toMatchObject({ file: FILE, path, line: lineOf(text, at) });
  });

  test('every mistake has a name of its own', () => {
    const names = MISTAKES.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  test.each(MISTAKES)('$name leads to no complaints about anything else', ({ name, text }) => {
    const problems = errorOf(text)?.problems ?? [];
    expect(problems.map(({ path, message }) => `${path} ${message}`)).toHaveLength(1 + (CONSEQUENCES[name] ?? 0));
  });
});
