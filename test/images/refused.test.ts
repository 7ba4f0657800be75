import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ImageError } from '../../criu/image-error.ts';
import { unpackImageSet } from '../helpers/image-sets.ts';
import { restoreSet } from './machine.ts';

const NAME = 'counter32-norseq';

describe('a restore is refused by one line', () => {
  const file = (set: string, name: string): string => join(set, 'root', 'srv', 'tasks', NAME, name);
  const cases: [what: string, spoil: (set: string) => void, message: RegExp][] = [
    [
      'a file that has grown',
      (set) => appendFileSync(file(set, 'out.txt'), 'x'),
      /files\.img: offset \d+: File \/srv\/tasks\/counter32-norseq\/out\.txt has bad size 289 \(expect 288\)$/,
    ],
    [
      'a program that is missing',
      (set) => rmSync(file(set, 'counter-m32s')),
      /files\.img: offset \d+: File \/srv\/.*counter-m32s cannot be opened in the guest's root directory: ENOENT$/,
    ],
    ['no pages', (set) => rmSync(join(set, 'images', 'pages-1.img')), /pages-1\.img: missing$/],
    ['no core', (set) => rmSync(join(set, 'images', 'core-19833.img')), /core-19833\.img: missing$/],
    ['no directory', (set) => rmSync(join(set, 'images'), { recursive: true }), /images: no such directory of images$/],
  ];
  for (const [what, spoil, message] of cases) {
    it(what, () => {
      const set = unpackImageSet(NAME);
      try {
        spoil(set.path);
        expect(() => restoreSet(set.path)).to.throw(ImageError, message);
      } finally {
        set.remove();
      }
    });
  }

  it('AVX-512 state for a processor without it', () => {
    const set = unpackImageSet('counter64-norseq');
    try {
      const message = /core-20807\.img: offset \d+: AVX-512 opmask state, which this machine has not$/;
      expect(() => restoreSet(set.path, { avx512: false })).to.throw(ImageError, message);
    } finally {
      set.remove();
    }
  });

  it('but an open file may be another one: --inherit-fd', () => {
    const set = unpackImageSet(NAME);
    try {
      rmSync(file(set.path, 'out.txt'));
      const inheritFds = new Map([[`srv/tasks/${NAME}/out.txt`, 1]]);
      const machine = restoreSet(set.path, { inheritFds });
      machine.run();
      expect(machine.log()).to.match(/^round 08 [\s\S]*done checksum c8e8e825 exit 0\n$/);
    } finally {
      set.remove();
    }
  });
});
