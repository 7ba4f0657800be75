/** Every runtime function that rows call. */
import type { AnyFunction } from '../ir/function.ts';

export const runtimeFunctions: readonly AnyFunction[] = [];
