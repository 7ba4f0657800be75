/** The README's tables are those of the kept results. */
import { expect } from 'chai';
import { quoted, readResults } from './report.ts';

describe('bench', () => {
  for (const kind of ['cpu', 'linux'] as const) {
    it(`README.md quotes the kept results: ${kind}`, () => {
      expect(quoted(kind)).to.equal(readResults(kind));
    });
  }
});
