/** A Braze REST endpoint: what a person may write, and the one form that the rest of the code sees. */
import { quote } from './problems.ts';

/** What is wrong with an endpoint. */
export type EndpointProblem = { readonly found: string; readonly allowed: string; readonly hint?: string };

const ALLOWED = 'an https URL such as https://rest.iad-01.braze.com';
/**
 * Braze's own REST hosts, all of which have this form: a list of them would age with each new instance.
 * Source: Braze, 'API and SDK endpoints'.
 */
const BRAZE_HOST = /^rest\.[a-z]{2,3}-\d{2}\.braze\.(com|eu)$/;
const LOOPBACK: ReadonlySet<string> = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Returns an endpoint without its one trailing slash: with it, Braze answers paths oddly ('API errors and responses'). */
export const withoutTrailingSlash = (endpoint: string): string => endpoint.replace(/\/$/, '');

/**
 * Returns what is wrong with an endpoint, or undefined: https, one of Braze's own hosts, nothing but the host. With
 * `allowsAny` (the app's allowEndpoint) any host and path over https, and http on this machine; never a host of Braze's
 * SDKs or dashboard. What is shown never holds a user name, password or query.
 * Source: Braze, 'API overview' and 'API errors and responses'.
 */
export function endpointProblem(endpoint: string, allowsAny = false): EndpointProblem | undefined {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(endpoint) && /^[\w.-]+\.\w+\/?$/.test(endpoint)) {
    return { found: quote(endpoint), allowed: ALLOWED, hint: 'put https:// before it' };
  }
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  if (url === undefined || !/^https?:\/\/[^\s\\]+$/i.test(endpoint))
    return { found: 'something that is no web URL', allowed: ALLOWED };
  if (url.username !== '' || url.password !== '')
    return { found: 'a user name or password in the URL', allowed: ALLOWED };
  if (/[?#]/.test(endpoint)) return { found: 'a query or fragment in the URL', allowed: ALLOWED };
  const found = quote(endpoint);
  if (url.protocol === 'http:' && !LOOPBACK.has(url.hostname)) {
    return { found, allowed: ALLOWED, hint: 'http is only for 127.0.0.1, localhost and [::1]' };
  }
  return hostProblem(url, found) ?? (allowsAny ? undefined : foreignProblem(url, found));
}

/** The API key and every value go to this host: another one than Braze's has to be wanted in so many words. */
function foreignProblem({ protocol, host, pathname }: URL, found: string): EndpointProblem | undefined {
  const allowed = `${ALLOWED}: https and one of Braze's own hosts`;
  if (protocol === 'https:' && BRAZE_HOST.test(host)) {
    return pathname === '/' ? undefined : { found, allowed, hint: 'leave out the path' };
  }
  return {
    found,
    allowed,
    hint: 'to send the API key and the data elsewhere (a proxy, a stand-in), set allowEndpoint: true beside it',
  };
}

function hostProblem({ hostname, pathname }: URL, found: string): EndpointProblem | undefined {
  if (/^sdk\./i.test(hostname)) {
    return {
      found,
      allowed: ALLOWED,
      hint: 'this is the endpoint of the SDKs; the dashboard also names the REST endpoint (rest.…)',
    };
  }
  if (/^dashboard\b/i.test(hostname)) {
    return {
      found,
      allowed: ALLOWED,
      hint: 'this is the dashboard; under APIs and Identifiers it names the REST endpoint (rest.…)',
    };
  }
  if (/\/\/$|^\/(v2\/)?(users|subscription)\b/i.test(pathname)) {
    return { found, allowed: ALLOWED, hint: 'leave out the path of a single request' };
  }
  return undefined;
}
