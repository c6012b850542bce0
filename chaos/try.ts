import { simulate } from './simulate.ts';
const from = Number(process.argv[2] ?? 1), n = Number(process.argv[3] ?? 20);
const t0 = process.hrtime.bigint();
let ev=0, inv=0, runs=0, req=0; const bad = new Map<string, number[]>();
for (let s = from; s < from + n; s++) {
  const r = await simulate(s, n === 1 ? { trace: console.log } : {});
  ev += r.events; inv += r.invocations; runs += r.runs; req += r.requests;
  const v = r.violations[0];
  if (v) { const k = v.invariant; bad.set(k, [...(bad.get(k) ?? []), s]); if (n <= 200) console.log(s, v.invariant, v.text.slice(0, 700)); }
}
const ms = Number(process.hrtime.bigint() - t0) / 1e6;
console.log({ ms, perMinute: Math.round(n / ms * 60000), ev, inv, runs, req, bad: [...bad].map(([k, v]) => `${k}: ${v.length} ${v.slice(0, 5)}`) });
