/**
 * Every switch of the emulator, with its default.
 *
 * Where Braze's behaviour is documented the default is that; where it is not, the default is the reading that is
 * harder on a client, and the switch lets a test try the other. All may be changed while the emulator runs.
 */

/** `requests` in each clock-aligned window of `perMs`. */
export type RateWindow = { readonly requests: number; readonly perMs: number };

/** A custom attribute's type as an administrator forced it. Source: Braze, 'Manage custom data'. */
export type ForcedType = 'boolean' | 'number' | 'string' | 'time' | 'array';

export type BrazeEmulatorSettings = {
  /** Rules marked S refuse and record a violation; false imitates Braze's silence instead. */
  strict: boolean;

  /** Objects in one /users/track request. */
  maxObjects: number;
  /** Contracts with legacy limits: `maxObjects` holds for each array instead of all together. */
  legacyPerArray: boolean;
  /** Ids in one /users/delete or /users/export/ids request. */
  maxIds: number;
  /** Users of a subscription group change, in each list or in the whole request. */
  maxSubscriptionUsers: number;
  subscriptionUsersLimit: 'list' | 'request';
  /** Sizes are decimal, the smaller reading of "MB" and "KB". */
  maxBodyBytes: number;
  maxBulkBodyBytes: number;
  /** An object or array as a custom attribute's value, as JSON. */
  maxValueBytes: number;
  maxArrayLength: number;

  echoKeyOn401: boolean;
  missingPermissionStatus: 401 | 403;
  /** When set, every request gets it, as from an address outside the key's allow-list. */
  blockedAddressStatus: number | undefined;
  tooLargeStatus: 413 | 400;
  /** Whether `Content-Encoding: gzip` is understood; when not, the bytes are no JSON. */
  acceptGzip: boolean;
  successStatus: 200 | 201 | 202;
  successMessage: 'success' | 'queued';
  /** `type` of errors[]: measured as sentences, documented as codes. */
  errorTypes: 'sentence' | 'code';
  /** Status when some objects are refused, and whether the others are then applied. */
  partialRefusalStatus: 201 | 400;
  applyOnPartial400: boolean;
  /** What attributes_processed counts. */
  processedCounts: 'objects' | 'users';

  deleteStatus: number;
  deletedCount: 'sent' | 'existing';
  deleteDelayMs: number;
  /** From receipt until a request takes effect, by the emulator's clock. */
  applyDelayMs: number;
  /** Of two requests for one user of which the first has not taken effect, the second takes effect first. */
  reorderOverlapping: boolean;
  /** From the request's arrival to its processing, in real time. */
  latencyMs: number;

  /** MAU plans have their own headers on /users/track alone. */
  rateLimitDialect: 'general' | 'mau';
  headerCase: 'documented' | 'lower' | 'upper';
  /** Whether a 429 of the general dialect says when the window ends. */
  headersOn429: boolean;
  /** Limits by path (`*` for all paths without their own); several windows hold together. */
  limits: Readonly<Record<string, readonly RateWindow[]>>;
  /** Enforces the documented limits for paths that `limits` does not name. */
  defaultLimits: boolean;
  /** Whether an export of wanted fields has its own limit, 40 a second; its name in `limits` is `/users/export/ids#raised`. */
  raisedExportLimit: boolean;
  /** Whose early return is a violation of an announced wait: anyone's, only that of a user who was put off, nobody's. */
  announcedWait: 'endpoint' | 'sameUsers' | 'off';
  /** A client's timer may fire this much early. */
  clockToleranceMs: number;

  blockedExternalIds: readonly string[];
  blockedAttributes: readonly string[];
  forcedTypes: Readonly<Record<string, ForcedType>>;
  /** Subscription group ids that exist; undefined = any UUID. */
  knownSubscriptionGroups: readonly string[] | undefined;
  /** What /v2/subscription/status/set answers for users that do not exist. */
  unknownSubscriptionUsers: 'accepted' | 'refused';
  /** Known time zone names; undefined = those of the running Node. */
  ianaTimeZones: readonly string[] | undefined;
  /** Rails-style names that are stored beside them when not strict. */
  railsTimeZones: readonly string[];
  /** Letters beyond ASCII in an address: whether Braze takes them is not documented. */
  unicodeEmails: boolean;
  /** What becomes of an over-long string when not strict. */
  overLongStrings: 'dropped' | 'truncated' | 'refused';
  /** What null does to a subscription state or subscription_groups when not strict. */
  nullConsent: 'ignored' | 'removed' | 'refused';
  /** Whether integers beyond 2^53-1 are a finding. */
  largeIntegers: 'accepted' | 'finding';
  /** Whether null on an attribute that is no object costs a data point. */
  nullCostsPoint: boolean;
  /** Whether null, false and empty are left out among custom attributes of an export too. */
  exportOmitsEmptyCustom: boolean;

  /** The oldest logged requests leave beyond it. */
  maxLoggedRequests: number;
};

/** Returns all settings, the defaults replaced by those that are given. */
export const settingsWith = (given: Partial<BrazeEmulatorSettings>): BrazeEmulatorSettings => ({
  strict: true,

  maxObjects: 75,
  legacyPerArray: false,
  maxIds: 50,
  maxSubscriptionUsers: 50,
  subscriptionUsersLimit: 'list',
  maxBodyBytes: 4_000_000,
  maxBulkBodyBytes: 2_000_000,
  maxValueBytes: 100_000,
  maxArrayLength: 500,

  echoKeyOn401: true,
  missingPermissionStatus: 403,
  blockedAddressStatus: undefined,
  tooLargeStatus: 413,
  acceptGzip: false,
  successStatus: 201,
  successMessage: 'success',
  errorTypes: 'sentence',
  partialRefusalStatus: 201,
  applyOnPartial400: false,
  processedCounts: 'objects',

  deleteStatus: 200,
  deletedCount: 'sent',
  deleteDelayMs: 0,
  applyDelayMs: 0,
  reorderOverlapping: false,
  latencyMs: 0,

  rateLimitDialect: 'general',
  headerCase: 'documented',
  headersOn429: true,
  limits: {},
  defaultLimits: false,
  raisedExportLimit: false,
  announcedWait: 'endpoint',
  clockToleranceMs: 10,

  blockedExternalIds: [],
  blockedAttributes: [],
  forcedTypes: {},
  knownSubscriptionGroups: undefined,
  unknownSubscriptionUsers: 'accepted',
  ianaTimeZones: undefined,
  railsTimeZones: ['Eastern Time (US & Canada)'],
  unicodeEmails: true,
  overLongStrings: 'dropped',
  nullConsent: 'ignored',
  largeIntegers: 'accepted',
  nullCostsPoint: true,
  exportOmitsEmptyCustom: true,

  maxLoggedRequests: 10_000,
  ...given,
});
