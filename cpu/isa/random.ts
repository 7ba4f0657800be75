/** RDRAND and RDSEED from the machine's own generator, RDPID, and CLWB (Intel SDM vol. 2). */
import { Flag, STATUS_FLAGS } from '../flags.ts';
import type { HelperContext } from '../interp/helper-context.ts';
import { i32 } from '../ir/expr.ts';
import { helper, op, type Row } from './row.ts';

/** There is always a number: CF is set and the other status flags are clear. */
const random = helper((h: HelperContext) => {
  h.write(0, h.cpu.random.next() & ((1n << BigInt(h.bits(0))) - 1n));
  h.rflags = (h.rflags & ~STATUS_FLAGS) | Flag.CF;
});

export const randomRows: readonly Row[] = [
  // IA32_TSC_AUX is 0 on the only processor.
  op('rdpid', 'F3 0F C7 /7', 'Rd', (c) => c.write(0, i32.const(0))),
  op('rdrand', 'NP 0F C7 /6', 'Rv', random),
  op('rdrand', '66 0F C7 /6', 'Rv', random, { sized66: true }),
  op('rdseed', 'NP 0F C7 /7', 'Rv', random),
  op('rdseed', '66 0F C7 /7', 'Rv', random, { sized66: true }),
  op('clwb', '66 0F AE /6', 'Mb', (c) => void c.read(0)),
];
