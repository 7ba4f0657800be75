/**
 * Which variants are cases of the interpreter's main function: what programs execute 99.9 % of the time (a shell, compilers,
 * interpreters, databases and the benchmark's loops were counted, in both modes). The others are functions, compiled when a
 * program first needs them and called through a table. The main function is compiled in every run: what stands in it without
 * being needed costs time and memory.
 */
import type { CompiledRow } from '../decode/encoding.ts';

interface Forms {
  readonly register: boolean;
  readonly memory: boolean;
  /** 16-bit operands, too. */
  readonly word: boolean;
}

/** R: register operands; M: a memory operand; W: 16-bit operands, too. */
const NAMES: Readonly<Record<string, string>> = {
  RMW: 'mov cmp test and or',
  RM:
    'add sub xor inc dec movzx movsx movsxd lea push pop call jmp nop cmovb cmovae cmove cmovne sete setne ' +
    'movaps movups movapd movupd movdqa movdqu movq movd movss movsd movhps pxor por',
  RW: 'shr rol',
  R:
    'adc sbb neg not shl sar ror imul mul div idiv bt bts btr bsf bsr tzcnt bswap cbw cwd xchg ret leave pause cld ' +
    'cmovo cmovno cmovbe cmova cmovs cmovns cmovp cmovnp cmovl cmovge cmovle cmovg ' +
    'seto setno setb setae setbe seta sets setns setp setnp setl setge setle setg ' +
    'jo jno jb jae je jne jbe ja js jns jp jnp jl jge jle jg ' +
    'paddd paddq pand pshufd pcmpeqb pmovmskb punpcklqdq unpcklpd psrld pslld',
};

const HOT: ReadonlyMap<string, Forms> = new Map(
  Object.entries(NAMES).flatMap(([forms, names]) =>
    names.split(' ').map((name): [string, Forms] => {
      const has = (letter: string): boolean => forms.includes(letter);
      return [name, { register: has('R'), memory: has('M'), word: has('W') }];
    }),
  ),
);

/** Is this variant of a row a case of the main function? */
export function isHot(row: CompiledRow, size: 16 | 32 | 64, isMemory: boolean): boolean {
  const forms = HOT.get(row.row.name);
  if (!forms || row.vex || row.operands.some((o) => 'APQN'.includes(o.place))) return false;
  // Far pointers.
  if (row.operands.some((o) => o.place === 'M' && o.size === '') && !row.row.options.addressOnly) return false;
  if (row.sized && size === 16 && !forms.word) return false;
  return isMemory ? forms.memory : forms.register;
}
