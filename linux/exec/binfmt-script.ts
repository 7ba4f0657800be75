import { ENOEXEC } from '../abi/errno.ts';
import { decodeName } from '../abi/names.ts';
import { fput } from '../fs/file.ts';
import { type BinPrm, do_open_execat, prepare_binprm } from './binprm.ts';

const text = (bytes: Uint8Array): string => decodeName(bytes);

/**
 * load_script(), fs/binfmt_script.c: `#! interpreter [one argument]`. Rewrites the arguments and puts the interpreter in
 * the script's place.
 * @returns 1: look again; -ENOEXEC: no script; another errno
 */
export function load_script(bprm: BinPrm): number {
  const { buf } = bprm;
  if (buf[0] !== 0x23 || buf[1] !== 0x21) return -ENOEXEC;
  // Unlike later kernels a line longer than the buffer is cut: v4.7 puts a NUL at its last byte.
  const end = buf.subarray(0, buf.length - 1).indexOf(0x0a);
  const zero = buf.indexOf(0);
  let stop = end >= 0 ? end : buf.length - 1;
  if (zero >= 0 && zero < stop) stop = zero;
  const line = Buffer.from(buf.subarray(2, stop))
    .toString('latin1')
    .replace(/[ \t]+$/, '')
    .replace(/^[ \t]+/, '');
  if (line === '') return -ENOEXEC;
  const split = line.search(/[ \t]/);
  const name = split < 0 ? line : line.slice(0, split);
  const argument = split < 0 ? '' : line.slice(split).replace(/^[ \t]+/, '');
  const interpreter = text(Buffer.from(name, 'latin1'));
  bprm.argv = [
    Buffer.from(name, 'latin1'),
    ...(argument === '' ? [] : [Buffer.from(argument, 'latin1')]),
    Buffer.from(bprm.interp),
    ...bprm.argv.slice(1),
  ];
  bprm.interp = interpreter;
  const file = do_open_execat(bprm.task, interpreter);
  if (typeof file === 'number') return file;
  fput(bprm.file);
  bprm.file = file;
  bprm.buf = prepare_binprm(file);
  return 1;
}
