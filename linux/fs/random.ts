/** The kernel's random numbers, from the machine's seed: every run has the same. */
import { RandomSource } from '../../cpu/random.ts';

export class RandomPool extends RandomSource {
  bytes(count: number): Uint8Array {
    const words = new BigUint64Array(Math.ceil(count / 8));
    for (let i = 0; i < words.length; i++) words[i] = this.next();
    return new Uint8Array(words.buffer, 0, count);
  }
}
