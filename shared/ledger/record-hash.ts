/** The record hash: a record's identity everywhere outside the warehouse and Braze. */
import { createHash } from 'node:crypto';

/** Returns the record hash of a primary key: its md5 as 32 lower-case hex digits, the same that MD5() gives in SQL. */
export const recordHash = (primaryKey: string): string => createHash('md5').update(primaryKey).digest('hex');
