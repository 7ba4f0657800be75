/** Modules whose branch hints count: V8 then puts what is unlikely out of the way, and keeps no registers for it. */
import { setFlagsFromString } from 'node:v8';

/**
 * Compiles a module. V8 reads the hints of modules that are made while its flag is set. Where the flag is unknown, or means
 * something else, the code is only slower.
 */
export function hintedModule(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  setFlagsFromString('--experimental-wasm-branch-hinting');
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    setFlagsFromString('--no-experimental-wasm-branch-hinting');
  }
}
