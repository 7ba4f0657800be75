/** A broken, missing or unsupported image: one line that says which file, where and what was expected. */
export class ImageError extends Error {
  readonly file: string;
  readonly offset: number | undefined;

  constructor(file: string, offset: number | undefined, message: string) {
    super(offset === undefined ? `${file}: ${message}` : `${file}: offset ${offset}: ${message}`);
    this.name = 'ImageError';
    this.file = file;
    this.offset = offset;
  }
}
