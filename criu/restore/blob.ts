import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PT_LOAD, readElfHeader, readFileSymbols, readProgramHeaders } from '../../linux/abi/elf.ts';

export interface Blob {
  /** What is mapped: text and constants, position independent. */
  readonly image: Uint8Array;
  /** Offset of the first instruction. */
  readonly entry: number;
  /** Offsets of its labels, for the debugger. */
  readonly symbols: ReadonlyMap<string, number>;
}

/** The restorer blob as build.sh made it. */
export function loadBlob(): Blob {
  const bytes = read();
  const header = readElfHeader(bytes);
  const segments =
    header === undefined ? [] : readProgramHeaders(bytes, header).filter((each) => each.type === PT_LOAD);
  const [text] = segments;
  if (header === undefined || text === undefined || segments.length !== 1 || text.vaddr !== 0) {
    throw new Error('restorer.elf has not one segment at address 0');
  }
  const image = bytes.slice(text.offset, text.offset + text.filesz);
  return {
    image,
    entry: header.entry,
    symbols: new Map(readFileSymbols(bytes).map((each) => [each.name, each.value])),
  };
}

function read(): Uint8Array {
  for (const place of ['../restorer/', '../../../criu/restorer/']) {
    try {
      return readFileSync(fileURLToPath(new URL(`${place}restorer.elf`, import.meta.url)));
    } catch {
      // compiled code lies under dist/, the blob does not
    }
  }
  throw new Error('criu/restorer/restorer.elf is missing; npm run guests builds it');
}
