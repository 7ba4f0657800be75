import { gunzipSync, gzipSync } from 'node:zlib';
import { buildCase, type Draft } from './generate.ts';
import { type Mode, OPMASKS, type Outcome, XSTATE } from './protocol.ts';
import type { Profile, States } from './state.ts';

/** A case with what the host's CPU made of it, for hosts that cannot be asked. */
export interface Vector {
  readonly name: string;
  readonly features: readonly string[];
  readonly draft: Draft;
  readonly expected: Outcome;
}

const PROFILES: readonly Profile[] = ['integer', 'vector', 'sse-fp', 'x87'];
const hex = (value: bigint): string => value.toString(16);
const unhex = (text: string): bigint => BigInt(`0x${text}`);

/** One vector as a line: the outcome as its differences from the state that the draft's seed gives. */
function toLine(vector: Vector, states: States): string {
  const { draft, expected } = vector;
  const before = buildCase(draft, states);
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
    vector.features,
    [
      draft.seed,
      PROFILES.indexOf(draft.profile),
      draft.mode,
      (draft.step ? 1 : 0) | (draft.repeat ? 2 : 0) | (draft.aligned ? 4 : 0) | (draft.wide ? 8 : 0),
      Buffer.from(draft.code).toString('hex'),
      draft.starts,
      draft.at,
      draft.selectors,
      draft.fixups.map(([register, value]) => [register, hex(value)]),
      draft.operand,
      draft.patches.map(([offset, bytes]) => [offset, Buffer.from(bytes).toString('hex')]),
      hex(draft.fsBase),
      hex(draft.gsBase),
    ],
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

type DraftLine = [
  seed: number,
  profile: number,
  mode: Mode,
  flags: number,
  code: string,
  starts: number[],
  at: number,
  selectors: number[],
  fixups: [number, string][],
  operand: number,
  patches: [number, string][],
  fsBase: string,
  gsBase: string,
];

type Line = [
  name: string,
  features: string[],
  draft: DraftLine,
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

function toDraft(line: DraftLine): Draft {
  return {
    seed: line[0],
    profile: PROFILES[line[1]]!,
    mode: line[2],
    step: (line[3] & 1) !== 0,
    repeat: (line[3] & 2) !== 0,
    aligned: (line[3] & 4) !== 0,
    wide: (line[3] & 8) !== 0,
    code: Uint8Array.from(Buffer.from(line[4], 'hex')),
    starts: line[5],
    at: line[6],
    selectors: line[7],
    fixups: line[8].map(([register, value]) => [register, unhex(value)] as const),
    operand: line[9],
    patches: line[10].map(([offset, bytes]) => [offset, Uint8Array.from(Buffer.from(bytes, 'hex'))] as const),
    fsBase: unhex(line[11]),
    gsBase: unhex(line[12]),
  };
}

function fromLine(text: string, states: States): Vector {
  const line = JSON.parse(text) as Line;
  const draft = toDraft(line[2]);
  const before = buildCase(draft, states);
  const gpr = BigUint64Array.from(before.gpr);
  for (const [register, value] of line[8]) gpr[register] = unhex(value);
  const xstate = before.xstate.slice();
  for (const [offset, bytes] of line[12]) xstate.set(Buffer.from(bytes, 'hex'), offset);
  const expected: Outcome = {
    vector: line[3],
    errorCode: line[4],
    cr2: unhex(line[5]),
    rip: unhex(line[6]),
    rflags: line[7],
    gpr,
    selectors: line[9],
    fsBase: unhex(line[10]),
    gsBase: unhex(line[11]),
    xstate,
    memory: new Map(line[13].map(([offset, value]) => [offset, unhex(value)])),
  };
  return { name: line[0], features: line[1], draft, expected };
}

export const vectorLines = (vectors: readonly Vector[], states: States): string =>
  vectors.map((vector) => toLine(vector, states)).join('\n');

export function packVectors(vectors: readonly Vector[], states: States): Uint8Array {
  return gzipSync(vectorLines(vectors, states), { level: 9 });
}

/** Of lines, packed or not. */
export function unpackVectors(bytes: Uint8Array, states: States): Vector[] {
  const text = bytes[0] === 0x1f ? gunzipSync(bytes) : Buffer.from(bytes);
  return text
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => fromLine(line, states));
}
