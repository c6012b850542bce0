/**
 * Parameters that have been checked before, as Lambda functions find them in their bundle.
 *
 * Kept apart from `read.ts` so that a function carries neither a YAML parser nor a SQL parser. The shape is parsed once
 * more; references are not looked at again.
 */
import { Parameters } from './schema.ts';

/**
 * Returns the parameters in a JSON text that was made from checked ones.
 * @throws SyntaxError when it is no JSON, ZodError when it has not the shape of parameters.
 */
export function parseCheckedParameters(json: string): Parameters {
  return Parameters.parse(JSON.parse(json));
}
