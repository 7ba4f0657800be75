import { gunzipSync, gzipSync } from 'node:zlib';
import { buildCase, type Draft } from './generate.ts';
import { OPMASKS, type Outcome, XSTATE } from './protocol.ts';
import type { Profile } from './state.ts';

/** A case with what the host's CPU made of it, for hosts that cannot be asked. */
export interface Vector {
  readonly name: string;
  readonly text: string;
  readonly features: readonly string[];
  readonly undefinedFlags: number;
  readonly draft: Draft;
  readonly expected: Outcome;
}

const PROFILES: readonly Profile[] = ['integer', 'vector', 'sse-fp', 'x87'];
const hex = (value: bigint): string => value.toString(16);
const unhex = (text: string): bigint => BigInt(`0x${text}`);

/** One vector as a line: the outcome as its differences from the state that the draft's seed gives. */
function toLine(vector: Vector): string {
  const { draft, expected } = vector;
  const before = buildCase(draft);
  const gpr: [number, string][] = [];
  for (let i = 0; i < 16; i++) if (expected.gpr[i] !== before.gpr[i]) gpr.push([i, hex(expected.gpr[i]!)]);
  const xstate: [number, string][] = [];
  for (let i = 0; i < XSTATE; i += 2) {
    if ((i >= 416 && i < 576) || (i >= 832 && i < OPMASKS)) continue; // reserved, and the header
    const same = expected.xstate[i] === before.xstate[i] && expected.xstate[i + 1] === before.xstate[i + 1];
    if (same) continue;
    const last = xstate.at(-1);
    const bytes = Buffer.from(expected.xstate.subarray(i, i + 2)).toString('hex');
    if (last && last[0] + last[1].length / 2 === i) last[1] += bytes;
    else xstate.push([i, bytes]);
  }
  return JSON.stringify([
    vector.name,
    vector.text,
    vector.features,
    vector.undefinedFlags,
    draft.seed,
    PROFILES.indexOf(draft.profile),
    (draft.compat ? 1 : 0) | (draft.repeat ? 2 : 0) | (draft.wide ? 4 : 0),
    Buffer.from(draft.code).toString('hex'),
    draft.slot,
    draft.fixups.map(([register, value]) => [register, hex(value)]),
    draft.operand,
    hex(draft.fsBase),
    hex(draft.gsBase),
    expected.vector,
    expected.errorCode,
    hex(expected.cr2),
    hex(expected.rip),
    expected.rflags,
    gpr,
    expected.selectors,
    hex(expected.fsBase),
    hex(expected.gsBase),
    xstate,
    [...expected.memory].map(([offset, value]) => [offset, hex(value)]),
  ]);
}

type Line = [
  name: string,
  text: string,
  features: string[],
  undefinedFlags: number,
  seed: number,
  profile: number,
  flags: number,
  code: string,
  slot: number,
  fixups: [number, string][],
  operand: number,
  fsBase: string,
  gsBase: string,
  vector: number,
  errorCode: number,
  cr2: string,
  rip: string,
  rflags: number,
  gpr: [number, string][],
  selectors: number[],
  fsBaseAfter: string,
  gsBaseAfter: string,
  xstate: [number, string][],
  memory: [number, string][],
];

function fromLine(text: string): Vector {
  const line = JSON.parse(text) as Line;
  const draft: Draft = {
    seed: line[4],
    profile: PROFILES[line[5]]!,
    compat: (line[6] & 1) !== 0,
    repeat: (line[6] & 2) !== 0,
    wide: (line[6] & 4) !== 0,
    code: Uint8Array.from(Buffer.from(line[7], 'hex')),
    slot: line[8],
    fixups: line[9].map(([register, value]) => [register, unhex(value)] as const),
    operand: line[10],
    fsBase: unhex(line[11]),
    gsBase: unhex(line[12]),
  };
  const before = buildCase(draft);
  const gpr = BigUint64Array.from(before.gpr);
  for (const [register, value] of line[18]) gpr[register] = unhex(value);
  const xstate = before.xstate.slice();
  for (const [offset, bytes] of line[22]) xstate.set(Buffer.from(bytes, 'hex'), offset);
  const expected: Outcome = {
    vector: line[13],
    errorCode: line[14],
    cr2: unhex(line[15]),
    rip: unhex(line[16]),
    rflags: line[17],
    gpr,
    selectors: line[19],
    fsBase: unhex(line[20]),
    gsBase: unhex(line[21]),
    xstate,
    memory: new Map(line[23].map(([offset, value]) => [offset, unhex(value)])),
  };
  return { name: line[0], text: line[1], features: line[2], undefinedFlags: line[3], draft, expected };
}

export function packVectors(vectors: readonly Vector[]): Uint8Array {
  return gzipSync(vectors.map(toLine).join('\n'), { level: 9 });
}

export function unpackVectors(bytes: Uint8Array): Vector[] {
  return gunzipSync(bytes).toString().split('\n').map(fromLine);
}
