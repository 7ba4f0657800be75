import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const GUESTS = join(import.meta.dirname, 'guests');

export type Bits = '64' | '32';

/** Builds guests/NAME.c into a folder. @returns the program */
export function buildGuest(name: string, bits: Bits, folder: string): string {
  const out = join(folder, `${name}-${bits}`);
  const flags = [`-m${bits}`, '-O1', '-g', '-w', '-msse2', '-D_FILE_OFFSET_BITS=64', '-pthread'];
  execFileSync('gcc', [...flags, '-o', out, join(GUESTS, `${name}.c`)], { stdio: 'inherit' });
  return out;
}

export const recordingOf = (name: string, bits: Bits): string =>
  join(import.meta.dirname, 'recorded', `${name}-${bits}.txt`);
