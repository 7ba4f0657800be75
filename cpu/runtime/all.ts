/** Every runtime function: those that rows and regions call, and the decoder's. */
import type { AnyFunction } from '../ir/function.ts';
import * as crypto from './crypto.ts';
import * as knownCode from './known-code.ts';
import * as sseArith from './sse-arith.ts';
import * as sseCompare from './sse-compare.ts';
import * as sseFma from './sse-fma.ts';
import * as x87Arith from './x87-arith.ts';
import * as x87Move from './x87-move.ts';

const isFunction = (v: unknown): v is AnyFunction => typeof v === 'object' && v !== null && 'results' in v;

export const runtimeFunctions: readonly AnyFunction[] = [
  crypto,
  knownCode,
  sseArith,
  sseCompare,
  sseFma,
  x87Arith,
  x87Move,
].flatMap((chapter) => Object.values<unknown>(chapter).filter(isFunction));
