import { expect } from 'chai';
import { AMD64_LINUX } from '../../server/registers/amd64-linux.ts';
import { I386_LINUX } from '../../server/registers/i386-linux.ts';
import { getUserReg } from '../../server/registers/state.ts';
import { frame } from '../../server/rsp/framing.ts';
import { RspClient } from '../helpers/rsp-client.ts';
import { type MockServer, serveMock } from './mock-server.ts';
import { FAR_RETURN, IN_32, INNER } from './mock-target.ts';

const hexOf = (text: string): string => Buffer.from(text).toString('hex');

describe('packets over a mock target', () => {
  let server: MockServer;
  let client: RspClient;
  beforeEach(async () => {
    server = await serveMock();
    client = await RspClient.connect(server.port);
  });
  afterEach(async () => {
    client.close();
    await server.stop();
  });

  describe('conversation', () => {
    it('says what the rows can', async () => {
      const answer = (await client.hello()).split(';');
      expect(answer).to.include.members([
        'PacketSize=20000',
        'QStartNoAckMode+',
        'multiprocess+',
        'qXfer:features:read+',
        'qXfer:siginfo:write+',
        'binary-upload+',
        'vContSupported+',
        'swbreak+',
      ]);
      expect(new Set(answer).size).to.equal(answer.length);
      expect(server.target.events).to.deep.equal({ fork: true, vfork: false, exec: true });
    });

    it('acknowledges until told not to, and repeats on -', async () => {
      client.acks = false;
      client.raw(frame('qC'));
      expect(await client.next()).to.deep.equal({ kind: 'ack' });
      const first = await client.next();
      expect(first).to.deep.include({ payload: 'QC12c' });
      client.raw('-');
      expect(await client.next()).to.deep.equal(first);
      client.raw('$qC#00');
      expect(await client.next()).to.deep.equal({ kind: 'nak' });
    });

    it('answers nothing to what it does not know, and takes names as whole words', async () => {
      await client.hello();
      for (const packet of [
        'qNonsense',
        'qCX',
        'vMustReplyEmpty',
        'QNonsense:1',
        '_',
        'jThreadsInfo',
        '',
        'vFile:zap:1',
      ]) {
        expect(await client.ask(packet), packet).to.equal('');
      }
      expect(await client.ask('qC')).to.equal('QCp12c.12c');
    });

    it('answers an error to what makes no sense', async () => {
      await client.hello();
      for (const packet of [
        'mzz',
        'm1',
        'M401000,2:90',
        'P1=00',
        'pffff',
        'G0',
        'Hgzz',
        'vCont;q',
        'qXfer:auxv:read:',
        'vKill;999',
        'Z0,zz,1',
        'Hg999',
        'T999',
        'QPassSignals:zz',
        'm0,4',
        'x0,4',
        'qCRC:0,4',
      ]) {
        expect(await client.ask(packet), packet).to.match(/^E[0-9a-f]{2}$/);
      }
    });

    it('a failure in the machine is told, and the server stays', async () => {
      await client.hello();
      server.target.failNextSlice = true;
      expect(await client.ask('vCont;c')).to.match(/^O/);
      expect(await client.reply()).to.match(/^T00/);
      expect(await client.ask('qC')).to.equal('QCp12c.12c');
    });
  });

  describe('the lazy view', () => {
    it('serves the description of the code that runs, and keeps it until it is read again', async () => {
      await client.hello();
      const xml = await client.ask('qXfer:features:read:target.xml:0,10000');
      expect(xml).to.include('<architecture>i386:x86-64</architecture>');
      expect(xml).to.include('<osabi>GNU/Linux</osabi>').and.include('<compatible>i386</compatible>');
      const wide = await client.ask('g');
      expect(wide.length / 2).to.equal(AMD64_LINUX.rows.reduce((sum, row) => sum + row.bits / 8, 0));
      expect(await client.ask('vCont;c')).to.match(/^T0006:.*10:0020400000000000;.*thread:p12c\.12c;core:0;$/);
      expect(await client.ask('g')).to.have.length(wide.length);
      expect(await client.ask('qXfer:auxv:read::0,1000')).to.have.length(1 + 48);

      expect(await client.ask('qXfer:features:read:target.xml:0,10000')).to.include(
        '<architecture>i386</architecture>',
      );
      const narrow = await client.ask('g');
      expect(narrow.length / 2).to.equal(I386_LINUX.rows.reduce((sum, row) => sum + row.bits / 8, 0));
      expect(await client.ask('p8')).to.equal('00204000');
      expect(await client.ask('qXfer:auxv:read::0,1000')).to.have.length(1 + 24);
      expect(await client.ask('qXfer:siginfo:read::0,80')).to.equal(`l${' '.repeat(128)}`);
      expect(await client.ask('qXfer:libraries-svr4:read::0,1000')).to.include('/lib/a&#38;b.so');
    });

    it('masks addresses in the narrow view', async () => {
      await client.hello();
      await client.ask('vCont;c');
      await client.ask('qXfer:features:read:target.xml:0,10000');
      expect(await client.ask('m7f00402000,1')).to.equal('b8');
      await client.ask('Z0,7f00402020,1');
      expect(server.target.points[0]?.address).to.equal(INNER);
    });

    it('before any reading takes the order of the program file', async () => {
      await client.hello();
      expect((await client.ask('g')).length / 2).to.equal(I386_LINUX.rows.reduce((sum, row) => sum + row.bits / 8, 0));
    });

    it('a narrow write that changes nothing leaves the upper half', async () => {
      await client.hello();
      const all = await client.ask('g');
      expect(await client.ask(`G${all}`)).to.equal('OK');
      expect(getUserReg(server.target.state, 'rbx')).to.equal(0xaaaa_bbbb_cccc_ddddn);
      expect(await client.ask('P3=01000000')).to.equal('OK');
      expect(getUserReg(server.target.state, 'rbx')).to.equal(1n);
      expect(getUserReg(server.target.state, 'r15')).to.equal(0x1122_3344_5566_7788n);
    });

    it('sends the far return as an exec when asked to', async () => {
      await client.hello();
      await client.ask(`qRcmd,${hexOf('cs-switch exec')}`);
      expect(await client.ask('vCont;c')).to.equal(`T05thread:p12c.12c;core:0;exec:${hexOf('/hello')};`);
    });
  });

  describe('registers and memory', () => {
    beforeEach(async () => {
      await client.hello();
      await client.ask('qXfer:features:read:target.xml:0,10000');
    });

    it('p and P', async () => {
      expect(await client.ask('p10')).to.equal('0010400000000000');
      expect(await client.ask('P0=0807060504030201')).to.equal('OK');
      expect(await client.ask('p0')).to.equal('0807060504030201');
      expect(await client.ask('p12')).to.equal('33000000');
    });

    it('m M X x', async () => {
      expect(await client.ask('m401000,3')).to.equal('906a23');
      expect(await client.ask('M401000,1:cc')).to.equal('OK');
      expect(await client.ask('X401001,2:}\x03z')).to.equal('OK');
      expect(await client.ask('m401000,3')).to.equal('cc237a');
      expect(await client.ask('x401000,3')).to.equal('b\xcc#z');
      expect(await client.ask('X401000,0:')).to.equal('OK');
    });

    it('qSearch:memory and qCRC', async () => {
      expect(await client.ask('qSearch:memory:402000;8;\xe8\x16')).to.equal('1,402005');
      expect(await client.ask('qSearch:memory:402000;8;\xff\xff')).to.equal('0');
      expect(await client.ask('qCRC:401000,3')).to.match(/^C[0-9a-f]{8}$/);
    });

    it('keeps the x87 tags of empty and valid registers apart', async () => {
      const ftag = AMD64_LINUX.rows.findIndex((row) => row.name === 'ftag').toString(16);
      expect(await client.ask(`p${ftag}`)).to.equal('ffff0000');
      expect(await client.ask(`P${ftag}=fc3f0000`)).to.equal('OK');
      expect(server.target.state[216 + 4]).to.equal(0b1000_0001);
    });
  });

  describe('going on and stopping', () => {
    beforeEach(async () => {
      await client.hello();
      await client.ask('qXfer:features:read:target.xml:0,10000');
    });

    it('steps by vCont and by s, and in a range', async () => {
      expect(await client.ask('vCont;s:p12c.12c;c')).to.match(/^T05/);
      expect(server.target.pc).to.equal(0x401001n);
      await client.ask('s');
      expect(server.target.pc).to.equal(0x401003n);
      await client.ask('vCont;r401000,401008:p12c.12c');
      expect(server.target.pc).to.equal(FAR_RETURN);
    });

    it('says why', async () => {
      await client.ask('Z0,402020,1');
      await client.ask('vCont;c');
      expect(await client.ask('vCont;c')).to.match(/swbreak:;$/);
      await client.ask('z0,402020,1');
      expect(server.target.points).to.have.length(0);
      await client.ask('Z1,401050,1');
      expect(await client.ask('c')).to.match(/^T00/);
    });

    it('looks at conditions itself', async () => {
      // pc == 0x402020 is true, pc == 0 is false: reg 16; const32; equal; end.
      await client.ask('Z0,401008,1;Xa,260010240000000013' + '27');
      await client.ask('Z0,402000,1');
      expect(await client.ask('vCont;c')).to.match(/^T00/);
      await client.ask('Z0,402020,1;Xa,26001024004020201327');
      expect(await client.ask('vCont;c')).to.match(/swbreak:;$/);
      expect(server.target.pc).to.equal(INNER);
    });

    it('passes signals in both numberings', async () => {
      await client.ask('vCont;S14:p12c.12c');
      expect(server.target.plan?.actions.get(300)).to.deep.equal({ kind: 'step', signal: 17 });
      await client.ask('QPassSignals:e;14;2f');
      expect(server.target.passed).to.deep.equal([14, 17, 35]);
    });

    it('tells the end, and again when asked', async () => {
      await client.ask('vCont;c');
      await client.ask('vCont;c');
      expect(await client.ask('vCont;c')).to.equal('W07;process:12c');
      expect(await client.ask('?')).to.equal('W07;process:12c');
      expect(await client.ask('g')).to.equal('E03');
      expect(await client.ask('vCont;c')).to.equal('E03');
      client.close();
      await server.ended;
    });

    it('stops on the interrupt byte, and answers what came meanwhile afterwards', async () => {
      server.target.endless = true;
      client.raw(frame('vCont;c'));
      client.raw(frame('qC'));
      await new Promise((resolve) => setTimeout(resolve, 30));
      client.raw('\x03');
      expect(await client.reply()).to.match(/^T02/);
      expect(await client.reply()).to.equal('QCp12c.12c');
    });
  });

  describe('objects and files', () => {
    beforeEach(async () => {
      await client.hello();
    });

    it('reads objects in pieces', async () => {
      const whole = (await client.ask('qXfer:threads:read::0,1000')).slice(1);
      expect(whole).to.include('<thread id="p12c.12c" core="0" name="mock&#60;1&#62;">stopped in 64-bit code</thread>');
      expect(await client.ask('qXfer:threads:read::0,5')).to.equal(`m${whole.slice(0, 5)}`);
      expect(await client.ask(`qXfer:threads:read::${whole.length.toString(16)},5`)).to.equal('l');
      expect(await client.ask('qXfer:exec-file:read:12c:0,100')).to.equal('l/hello');
      expect(await client.ask('qXfer:exec-file:read:99:0,100')).to.equal('E00');
      expect(await client.ask('qThreadExtraInfo,p12c.12c')).to.equal(hexOf('mock<1>: stopped in 64-bit code'));
      expect(await client.ask('qfThreadInfo')).to.equal('mp12c.12c');
      expect(await client.ask('qsThreadInfo')).to.equal('l');
    });

    it('vFile', async () => {
      expect(await client.ask('vFile:setfs:0')).to.equal('F0');
      expect(await client.ask(`vFile:open:${hexOf('/hello')},0,0`)).to.equal('F3');
      expect(await client.ask(`vFile:open:${hexOf('/none')},0,0`)).to.equal('F-1,2');
      expect(await client.ask('vFile:pread:3,8,0')).to.equal('F8;zero}#$*');
      expect(await client.ask('vFile:pread:3,8,fff')).to.equal('F0;');
      expect(await client.ask('vFile:fstat:3')).to.match(/^F40;/);
      expect(await client.ask(`vFile:readlink:${hexOf('/link')}`)).to.equal('F6;/hello');
      expect(await client.ask(`vFile:unlink:${hexOf('/x')}`)).to.equal('F-1,1e');
      expect(await client.ask('vFile:pwrite:3,0,a,b')).to.equal('F3');
      expect(await client.ask('vFile:close:3')).to.equal('F0');
      expect(await client.ask('vFile:close:4')).to.equal('F-1,9');
    });

    it('lldb gets its own form of x', async () => {
      await client.ask('QListThreadsInStopReply');
      expect(await client.ask('x0,0')).to.equal('OK');
      expect(await client.ask('x401000,1')).to.equal('\x90');
      expect(await client.ask('qMemoryRegionInfo:401500')).to.equal(
        `start:401000;size:2000;permissions:rx;name:${hexOf('/bin/mock')};`,
      );
    });
  });

  describe('clients come and go', () => {
    it('a client that vanishes while the machine runs leaves it stopped for the next', async () => {
      await client.hello();
      await client.ask('vCont;s');
      server.target.endless = true;
      client.raw(frame('vCont;c'));
      await new Promise((resolve) => setTimeout(resolve, 20));
      client.close();
      const second = await RspClient.connect(server.port);
      await second.hello();
      expect(await second.ask('?')).to.match(/^T05/);
      expect(server.target.pc).to.equal(0x401001n);
      expect(await second.ask('vCont?')).to.equal('vCont;c;C;s;S;t;r');
      second.close();
    });

    it('a second client waits for its turn', async () => {
      await client.hello();
      const second = await RspClient.connect(server.port);
      second.raw(frame('qC'));
      expect(await second.next(50)).to.equal(undefined);
      client.close();
      expect(await second.reply()).to.equal('QC12c');
      second.close();
    });

    it('survives garbage', async () => {
      for (let i = 0; i < 50; i++) {
        client.raw(Array.from({ length: 997 }, (_, k) => String.fromCharCode((k * 31 + i * 17) % 256)).join(''));
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
      client.close();
      const second = await RspClient.connect(server.port);
      await second.hello();
      expect(await second.ask('qC')).to.equal('QCp12c.12c');
      second.close();
    });

    it('detach and a new client', async () => {
      await client.hello();
      await client.ask('vCont;s');
      expect(await client.ask('D;12c')).to.equal('OK');
      client.close();
      const second = await RspClient.connect(server.port);
      await second.hello();
      expect(await second.ask('?')).to.match(/^T05/);
      await second.ask('vCont;s');
      expect(server.target.pc).to.equal(0x401003n);
      second.close();
    });

    it('with --once the first client ends the service, a mere connection does not', async () => {
      const once = await serveMock(true);
      (await RspClient.connect(once.port)).close();
      const second = await RspClient.connect(once.port);
      await second.hello();
      expect(IN_32).to.equal(0x402000n);
      second.close();
      await once.ended;
    });
  });
});
