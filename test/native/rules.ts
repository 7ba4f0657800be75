/** How a recording of a real kernel becomes what the model is to print. */

/** Replaces what varies from run to run, on both sides. */
export type Variation = readonly [pattern: RegExp, replacement: string | ((...all: string[]) => string)];

/** A difference between the kernel of the recording and the model. */
export interface Exception {
  readonly reason: string;
  /** Applied to the recording. It has to change something. */
  readonly change: (recorded: string) => string;
}

export interface Recording {
  /** Of programs/. */
  readonly file: string;
  readonly program: string;
  readonly args?: readonly string[];
  readonly kernel: string;
  readonly patches?: string;
  readonly varies: readonly Variation[];
  readonly exceptions: readonly Exception[];
}

const replace = (text: string, pattern: RegExp, by: Variation[1]): string =>
  typeof by === 'string' ? text.replace(pattern, by) : text.replace(pattern, by);

/** An exception that replaces text. */
export const instead = (reason: string, pattern: RegExp, by: Variation[1]): Exception => ({
  reason,
  change: (text) => replace(text, pattern, by),
});

/** Lines that only one side has. */
export const without = (reason: string, pattern: RegExp): Exception => ({
  reason,
  change: (text) =>
    text
      .split('\n')
      .filter((line) => !pattern.test(line))
      .join('\n'),
});

export const normalise = (text: string, varies: readonly Variation[]): string =>
  varies.reduce((out, [pattern, by]) => replace(out, pattern, by), text.trim());

/** The recording as the model is to print it. Throws for an exception that changes nothing. */
export function expectedText(recorded: string, row: Recording): string {
  let text = normalise(recorded, row.varies);
  for (const { reason, change } of row.exceptions) {
    const next = change(text);
    if (next === text) throw new Error(`${row.file}: nothing in it is concerned by the exception: ${reason}`);
    text = next;
  }
  return text;
}

/** The parts of a text, each with its heading. */
export const sections = (text: string, between: RegExp): string[] => text.split(between);

export const R8_ZERO = 'int 0x80 zeroes r8 to r11 in v4.3 to v4.16; 6.18 keeps them';
