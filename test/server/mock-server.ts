/** Serves a mock target on an ephemeral port of the loopback interface. */
import { pino } from 'pino';
import { serve } from '../../server/server.ts';
import { Session } from '../../server/session.ts';
import { MockTarget } from './mock-target.ts';

export interface MockServer {
  readonly target: MockTarget;
  readonly session: Session;
  readonly port: number;
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export async function serveMock(once = false): Promise<MockServer> {
  const target = new MockTarget();
  const session = new Session(target, pino({ level: 'silent' }));
  const abort = new AbortController();
  let ended: Promise<void> = Promise.resolve();
  const port = await new Promise<number>((resolve, reject) => {
    const say = (line: string): void => resolve(Number(/(\d+)$/.exec(line)![1]));
    ended = serve(session, { listen: { kind: 'tcp', host: '127.0.0.1', port: 0 }, once, say, abort: abort.signal });
    ended.catch(reject);
  });
  return {
    target,
    session,
    port,
    ended,
    stop: async () => {
      abort.abort();
      await ended;
    },
  };
}
