import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ImageError } from './image-error.ts';
import { type ImageFile, readImageFile } from './image-file.ts';
import { kindOfName } from './images.ts';
import { shown, toJson } from './show-message.ts';

/** The JSON that `crit show FILE` prints; for a directory one object with the name of each image and its JSON. */
export function showImage(path: string): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) {
    return toJson(imageAsCrit(readImageFile(path)));
  }
  const names = readdirSync(path)
    .filter((name) => name.endsWith('.img') && kindOfName(name)?.magic !== undefined)
    .sort();
  if (names.length === 0) {
    throw new ImageError(path, undefined, 'no images in this directory');
  }
  return toJson(Object.fromEntries(names.map((name) => [name, imageAsCrit(readImageFile(join(path, name)))])));
}

function imageAsCrit(image: ImageFile): { magic: string; entries: object[] } {
  const entries = image.entries.map(({ type, message, extra }) => ({
    ...shown(type, message),
    ...(extra === undefined ? {} : { extra }),
  }));
  return { magic: image.kind.name, entries };
}
