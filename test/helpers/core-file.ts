/** A core file taken apart, for tests. */
import { type ProgramHeader, PT_NOTE, readElfHeader, readProgramHeaders } from '../../linux/abi/elf.ts';

export interface Note {
  readonly owner: string;
  readonly type: number;
  readonly desc: Buffer;
}

export interface CoreFile {
  readonly class: number;
  readonly machine: number;
  readonly segments: readonly ProgramHeader[];
  readonly notes: readonly Note[];
  note(type: number): Buffer;
}

const pad = (n: number): number => Math.ceil(n / 4) * 4;

export function readCore(bytes: Buffer | undefined): CoreFile {
  const header = bytes && readElfHeader(bytes);
  if (!header) throw new Error('no core file');
  const segments = readProgramHeaders(bytes, header);
  const { offset, filesz } = segments.find((p) => p.type === PT_NOTE)!;
  const notes: Note[] = [];
  for (let at = offset; at < offset + filesz; ) {
    const [namesz, descsz, type] = [0, 4, 8].map((i) => bytes.readUInt32LE(at + i)) as [number, number, number];
    const owner = bytes.toString('latin1', at + 12, at + 12 + namesz - 1);
    const start = at + 12 + pad(namesz);
    notes.push({ owner, type, desc: bytes.subarray(start, start + descsz) });
    at = start + pad(descsz);
  }
  return {
    class: header.class,
    machine: header.machine,
    segments,
    notes,
    note: (type) => {
      const found = notes.find((n) => n.type === type);
      if (!found) throw new Error(`no note ${type}`);
      return found.desc;
    },
  };
}
