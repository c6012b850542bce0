declare module 'dynalite' {
  import type { Server } from 'node:http';

  /** `path`: a LevelDB folder that keeps the tables; in memory when absent. */
  export default function dynalite(options?: { path?: string; createTableMs?: number; deleteTableMs?: number }): Server;
}
