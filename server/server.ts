/** Listens, and serves one client at a time; others wait for their turn. */
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { Connection } from './connection.ts';
import type { ListenAddress } from './listen.ts';
import type { Session } from './session.ts';

export interface ServerOptions {
  readonly listen: ListenAddress;
  /** End when the first client has gone; a connection without a single packet is no client. */
  readonly once: boolean;
  /** A line for the user, on stderr. */
  readonly say: (line: string) => void;
  /** Ends the service. */
  readonly abort?: AbortSignal;
}

/** @returns when there is nothing left to serve. @throws Node's error if the address cannot be had */
export function serve(session: Session, options: ServerOptions): Promise<void> {
  return options.listen.kind === 'stdio' ? serveStdio(session) : serveSockets(session, options, options.listen);
}

function serveStdio(session: Session): Promise<void> {
  return new Promise((resolve) => {
    new Connection(session, process.stdin, process.stdout, () => resolve());
  });
}

/** Whether another client would find anything: a machine whose tasks have all ended is of no more use. */
const isOver = (session: Session): boolean => session.target.exitStatus() !== undefined;

function serveSockets(
  session: Session,
  options: ServerOptions,
  address: Exclude<ListenAddress, { kind: 'stdio' }>,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const queue: Socket[] = [];
    let current: Socket | undefined;
    let over = false;

    const server: NetServer = createServer({ noDelay: true, allowHalfOpen: false }, (socket) => {
      socket.on('error', (error) => session.log.info({ err: error }, 'a socket failed'));
      if (over) {
        socket.destroy();
        return;
      }
      queue.push(socket);
      next();
    });

    const next = (): void => {
      if (current) return;
      const socket = queue.shift();
      if (!socket) return;
      if (socket.destroyed) {
        next();
        return;
      }
      current = socket;
      session.log.info({ from: socket.remoteAddress }, 'a client has come');
      Connection.overSocket(session, socket, (spoke) => {
        session.log.info('the client has gone');
        current = undefined;
        if ((options.once && spoke) || isOver(session)) end();
        else next();
      });
    };

    const end = (): void => {
      over = true;
      for (const socket of queue) socket.destroy();
      server.close(() => resolve());
    };

    options.abort?.addEventListener('abort', () => {
      current?.destroy();
      end();
    });
    server.on('error', reject);
    const listening = (): void => {
      const bound = server.address();
      const port = typeof bound === 'object' && bound ? bound.port : undefined;
      options.say(port === undefined ? `Listening on ${String(bound)}` : `Listening on port ${port}`);
    };
    if (address.kind === 'tcp') server.listen({ host: address.host, port: address.port, exclusive: true }, listening);
    else server.listen({ path: address.path }, listening);
  });
}
