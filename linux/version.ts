/** UTS_RELEASE and UTS_VERSION of the default kernel, as uname(2) and /proc/version say them. */
export const RELEASE = '4.7.0-rc1';
export const VERSION = '#1 SMP Wed Jun 1 00:00:00 UTC 2016';
