import { expect } from 'chai';
import { decodePayload, escapeBinary, fitEscaped, runLengthEncode } from '../../server/rsp/encoding.ts';
import { checksum, FrameReader, frame } from '../../server/rsp/framing.ts';
import { gdbSignal, linuxSignal } from '../../server/rsp/signals.ts';
import { formatThreadId, parseThreadId } from '../../server/rsp/thread-id.ts';

const read = (...chunks: string[]) => {
  const reader = new FrameReader();
  return chunks.flatMap((chunk) => reader.push(Buffer.from(chunk, 'latin1')));
};

describe('rsp/encoding', () => {
  it('encodes runs as the manual shows', () => {
    expect(runLengthEncode('0000')).to.equal('0* ');
    expect(runLengthEncode('000')).to.equal('000');
  });

  it('gives back every run length, and never counts with # or $', () => {
    for (let n = 1; n < 400; n++) {
      const encoded = runLengthEncode(`a${'0'.repeat(n)}b`);
      expect(encoded).not.to.match(/\*[#$]/);
      expect(decodePayload(encoded)).to.equal(`a${'0'.repeat(n)}b`);
    }
  });

  it('escapes and gives back all bytes', () => {
    const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
    expect(decodePayload(runLengthEncode(escapeBinary(all.repeat(3))))).to.equal(all.repeat(3));
    expect(decodePayload(runLengthEncode(escapeBinary('}'.repeat(50) + '*'.repeat(50))))).to.equal(
      '}'.repeat(50) + '*'.repeat(50),
    );
  });

  it('counts escapes when it fills a packet', () => {
    expect(fitEscaped(Buffer.from('ab#cd'), 4)).to.equal(3);
    expect(fitEscaped(Buffer.from('ab'), 4)).to.equal(2);
  });
});

describe('rsp/framing', () => {
  it('sums modulo 256', () => expect(checksum('OK')).to.equal('9a'));

  it('reads frames from pieces, through garbage', () => {
    const frames = read('xx\x00$O', 'K#', '9', 'a', '+-\x03', 'garbage$g#67');
    expect(frames.map((f) => (f.kind === 'packet' ? `${f.payload} ${f.intact}` : f.kind))).to.deep.equal([
      'OK true',
      'ack',
      'nak',
      'interrupt',
      'g true',
    ]);
  });

  it('sees a wrong checksum, and a frame that starts within another', () => {
    expect(read('$OK#00')).to.deep.equal([{ kind: 'packet', payload: 'OK', intact: false }]);
    expect(read('$m4000$OK#9a')).to.deep.equal([{ kind: 'packet', payload: 'OK', intact: true }]);
  });

  it('does not keep endless garbage', () => {
    const reader = new FrameReader();
    for (let i = 0; i < 40; i++) reader.push(Buffer.alloc(1 << 16, i === 0 ? '$a' : 'a'));
    expect(reader.push(Buffer.from(frame('g')))).to.have.length(1);
  });
});

describe('rsp/thread-id and signals', () => {
  it('reads both forms', () => {
    expect(parseThreadId('p12c.-1')).to.deep.equal({ pid: 300, tid: 'all' });
    expect(parseThreadId('p0.0')).to.deep.equal({ pid: 'any', tid: 'any' });
    expect(parseThreadId('12c')).to.deep.equal({ pid: undefined, tid: 300 });
    expect(parseThreadId('p12c')).to.deep.equal({ pid: 300, tid: 'all' });
    expect(parseThreadId('pz.1')).to.equal(undefined);
    expect(formatThreadId({ pid: 300, tid: 301 }, true)).to.equal('p12c.12d');
  });

  it('maps every signal there and back', () => {
    for (let signal = 1; signal <= 64; signal++) expect(linuxSignal(gdbSignal(signal))).to.equal(signal);
    expect(gdbSignal(17)).to.equal(20);
    expect(gdbSignal(34)).to.equal(46);
    expect(linuxSignal(7)).to.equal(0);
  });
});
