/** Every packet that the server knows. The answer to qSupported derives from this list. */
import { BREAKPOINT_PACKETS } from './breakpoints.ts';
import { HOST_IO_PACKETS } from './host-io.ts';
import { LLDB_PACKETS } from './lldb.ts';
import { MEMORY_PACKETS } from './memory.ts';
import { MONITOR_PACKETS } from './monitor.ts';
import { type PacketRow, packetTable } from './packet.ts';
import { REGISTER_PACKETS } from './registers.ts';
import { RESUME_PACKETS } from './resume.ts';
import { SESSION_PACKETS, supported } from './session.ts';
import { SIGNAL_PACKETS } from './signals.ts';
import { THREAD_PACKETS } from './threads.ts';
import { XFER_PACKETS } from './xfer.ts';

const ROWS: readonly PacketRow[] = [
  ...SESSION_PACKETS,
  ...REGISTER_PACKETS,
  ...MEMORY_PACKETS,
  ...RESUME_PACKETS,
  ...BREAKPOINT_PACKETS,
  ...THREAD_PACKETS,
  ...XFER_PACKETS,
  ...SIGNAL_PACKETS,
  ...HOST_IO_PACKETS,
  ...MONITOR_PACKETS,
  ...LLDB_PACKETS,
];

export const PACKETS = packetTable([...ROWS, supported(ROWS)]);
