/**
 * Numbers that look random: SplitMix64 (Steele, Lea, Flood 2014), whose state is one number. RDRAND and RDSEED have one, the
 * kernel another. Deterministic, so nothing to keep secrets with.
 */
export class RandomSource {
  /** All there is to save and restore. */
  state: bigint;

  constructor(seed: bigint) {
    this.state = BigInt.asUintN(64, seed);
  }

  /** 64 bits. */
  next(): bigint {
    this.state = BigInt.asUintN(64, this.state + 0x9e3779b97f4a7c15n);
    let z = this.state;
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  }
}
