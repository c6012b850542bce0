/**
 * Braze's standard profile attributes: their names and kinds.
 *
 * Names are case-sensitive and lower case; any other spelling silently becomes a custom attribute, which is why an
 * unknown name in a `mapping` is an error. Source: Braze, 'Standard attributes' and 'User attributes object'.
 */

/** What a standard attribute takes; each kind has its own check and its own normal form (see shared/values). */
export type StandardKind =
  | 'text'
  | 'email'
  | 'phone'
  | 'country'
  | 'language'
  | 'gender'
  | 'birth_date'
  | 'time_zone'
  | 'subscription_state'
  | 'flag'
  | 'location'
  | 'time'
  | 'url'
  | 'profile';

/** Every standard attribute that a `mapping` may fill, besides `external_id`. */
export const STANDARD_ATTRIBUTES = {
  first_name: 'text',
  last_name: 'text',
  home_city: 'text',
  email: 'email',
  phone: 'phone',
  country: 'country',
  language: 'language',
  gender: 'gender',
  dob: 'birth_date',
  time_zone: 'time_zone',
  email_subscribe: 'subscription_state',
  push_subscribe: 'subscription_state',
  email_open_tracking_disabled: 'flag',
  email_click_tracking_disabled: 'flag',
  current_location: 'location',
  date_of_first_session: 'time',
  date_of_last_session: 'time',
  marked_email_as_spam_at: 'time',
  image_url: 'url',
  facebook: 'profile',
  twitter: 'profile',
} as const satisfies Record<string, StandardKind>;

export type StandardAttribute = keyof typeof STANDARD_ATTRIBUTES;

/** Keys of a user attributes object that steer the request or that Braze fills otherwise: never a custom attribute's name. */
export const RESERVED_KEYS = [
  'external_id',
  'user_alias',
  'braze_id',
  '_update_existing_only',
  '_merge_objects',
  'push_token_import',
  'push_tokens',
  'subscription_groups',
  'email_subscription_info',
] as const;

/**
 * Attributes that never receive null: what null does to them is not documented, and a wrong guess would change
 * a person's consent. Once set, they change only to another value.
 */
export const NEVER_NULL: ReadonlySet<string> = new Set(['email_subscribe', 'push_subscribe']);

/** Attributes that cost no data point. Source: Braze, 'Data points'. */
export const FREE_ATTRIBUTES: ReadonlySet<string> = new Set(['email_subscribe', 'push_subscribe']);

/** True when `name` is a standard attribute that a mapping may fill. */
export const isStandardAttribute = (name: string): name is StandardAttribute =>
  Object.hasOwn(STANDARD_ATTRIBUTES, name);
