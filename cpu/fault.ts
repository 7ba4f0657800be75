/** A guest exception under way. Throwing one preallocated object unwinds the generated code cheaply. */

export class Fault {
  vector = 0;
  errorCode = 0;
  /** Linear address of a page fault, as two halves. */
  addressLow = 0;
  addressHigh = 0;
  /** Record of the instruction, or 0 when the fault is in fetching it. */
  record = 0;

  get address(): bigint {
    return (BigInt(this.addressHigh >>> 0) << 32n) | BigInt(this.addressLow >>> 0);
  }
}

/** Thrown when an instruction met a watched page: it is run again by itself, with the accesses noted. */
export class WatchRetry {
  record = 0;
}
