import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ImageError } from '../../criu/image-error.ts';
import { parseImage } from '../../criu/image-file.ts';
import { images, kindOfName } from '../../criu/images.ts';
import { showImage } from '../../criu/show.ts';
import { imageSetNames, unpackImageSet } from '../helpers/image-sets.ts';

describe('show prints images as crit does', () => {
  for (const name of imageSetNames) {
    it(name, () => {
      const set = unpackImageSet(name);
      try {
        for (const file of readdirSync(join(set.path, 'decoded'))) {
          const shown = showImage(join(set.path, 'images', file.replace('.json', '.img')));
          expect(shown, file).to.equal(readFileSync(join(set.path, 'decoded', file), 'utf8'));
        }
        const all = JSON.parse(showImage(join(set.path, 'images')));
        expect(Object.keys(all)).to.include('inventory.img');
      } finally {
        set.remove();
      }
    });
  }
});

describe('the table of images', () => {
  it('has one kind per file name', () => {
    for (const kind of images) {
      const name = `${kind.file.replace(/%[udx]/, '7')}.img`;
      expect(kindOfName(name), name).to.equal(kind);
    }
  });

  it('has no tag twice in a message', () => {
    for (const type of images.flatMap((kind) => [kind.head, kind.message])) {
      const tags = Object.values(type?.fields ?? {}).map((field) => field.tag);
      expect(new Set(tags).size, type?.name ?? '').to.equal(tags.length);
    }
  });
});

describe('a bad image is one line', () => {
  const common = [0x19, 0x43, 0x56, 0x54];
  const pstree = [...common, 0x30, 0x30, 0x27, 0x50];
  const cases: [what: string, file: string, bytes: number[], message: RegExp][] = [
    ['empty', 'pstree.img', [], /^pstree\.img: offset 0: truncated: 4 bytes of the magic expected, 0 left$/],
    [
      'another magic',
      'pstree.img',
      [...common, 1, 2, 3, 4],
      /offset 4: magic 0x04030201, expected 0x50273030 \(PSTREE\)/,
    ],
    ['another kind', 'mm-1.img', pstree, /offset 4: magic 0x50273030 \(PSTREE\), expected 0x57492820 \(MM\)/],
    [
      'half a size',
      'pstree.img',
      [...pstree, 4, 0],
      /offset 8: truncated: 4 bytes of the size of an entry expected, 2 left/,
    ],
    [
      'half an entry',
      'pstree.img',
      [...pstree, 9, 0, 0, 0, 8],
      /offset 12: truncated: 9 bytes of pstree_entry expected, 1 left/,
    ],
    [
      'a field missing',
      'pstree.img',
      [...pstree, 2, 0, 0, 0, 8, 1],
      /offset 12: pstree_entry: the required field ppid is missing/,
    ],
    [
      'an unknown field',
      'pstree.img',
      [...pstree, 2, 0, 0, 0, 0x78, 1],
      /offset 12: pstree_entry: unknown field with tag 15/,
    ],
    [
      'a wrong wire type',
      'pstree.img',
      [...pstree, 2, 0, 0, 0, 0x0a, 0],
      /offset 12: .*pid has wire type 2, expected 0/,
    ],
    [
      'a cut varint',
      'pstree.img',
      [...pstree, 2, 0, 0, 0, 8, 0x80],
      /offset 12: pstree_entry: corrupt protobuf in pid/,
    ],
    [
      'no head',
      'pagemap-1.img',
      [...common, 0x25, 0x40, 0x08, 0x56],
      /offset 8: truncated: no pagemap_head after the magic/,
    ],
    ['raw pages', 'pages-1.img', [0], /PAGES holds raw data/],
    [
      'a short extra',
      'pipes-data.img',
      [...common, 0x09, 0x37, 0x45, 0x56, 4, 0, 0, 0, 8, 1, 16, 5, 65],
      /offset 16: truncated: 5 bytes of the pipe expected, 1 left/,
    ],
  ];
  for (const [what, file, bytes, message] of cases) {
    it(what, () => {
      expect(() => parseImage(file, Uint8Array.from(bytes))).to.throw(ImageError, message);
    });
  }

  it('a missing file, an empty directory', () => {
    const directory = mkdtempSync(join(tmpdir(), 'images-'));
    expect(() => showImage(join(directory, 'mm-1.img'))).to.throw(ImageError, /mm-1\.img: missing$/);
    expect(() => showImage(directory)).to.throw(ImageError, /no images in this directory/);
    rmSync(directory, { recursive: true });
  });

  it('the extra payload of each kind', () => {
    const directory = mkdtempSync(join(tmpdir(), 'images-'));
    const sem = [
      ...common,
      0x19,
      0x30,
      0x57,
      0x59,
      18,
      0,
      0,
      0,
      10,
      14,
      8,
      1,
      16,
      0,
      24,
      0,
      32,
      0,
      40,
      0,
      48,
      0,
      56,
      0,
      16,
      3,
    ];
    writeFileSync(join(directory, 'ipcns-sem-1.img'), Uint8Array.from([...sem, 1, 0, 2, 0, 3, 1, 0, 0]));
    expect(JSON.parse(showImage(join(directory, 'ipcns-sem-1.img'))).entries[0].extra).to.deep.equal([1, 2, 259]);
    rmSync(directory, { recursive: true });
  });
});
