/** include/uapi/linux/timex.h. */
import { struct } from './struct.ts';

export const ADJ_OFFSET_SINGLESHOT = 0x0001,
  ADJ_OFFSET_READONLY = 0x2000,
  ADJ_ADJTIME = 0x8000;
export const STA_UNSYNC = 0x40;
/** The clock is not synchronised. */
export const TIME_ERROR = 5;

const fields = (word: 'i64' | 'i32') =>
  [
    ['modes', 'u32'],
    ['offset', word],
    ['freq', word],
    ['maxerror', word],
    ['esterror', word],
    ['status', 'i32'],
    ['constant', word],
    ['precision', word],
    ['tolerance', word],
    ['time_sec', word],
    ['time_usec', word],
    ['tick', word],
    ['ppsfreq', word],
    ['jitter', word],
    ['shift', 'i32'],
    ['stabil', word],
    ['jitcnt', word],
    ['calcnt', word],
    ['errcnt', word],
    ['stbcnt', word],
    ['tai', 'i32'],
    ['_pad', 'u8', 44],
  ] as const;

export const timex = struct('timex', fields('i64'));
export const compat_timex = struct('compat_timex', fields('i32'), { align: 4 });
