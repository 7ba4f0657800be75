/** include/uapi/asm-generic/poll.h and include/uapi/linux/eventpoll.h. */
export const POLLIN = 1,
  POLLPRI = 2,
  POLLOUT = 4,
  POLLERR = 8,
  POLLHUP = 0x10,
  POLLNVAL = 0x20,
  POLLRDNORM = 0x40,
  POLLRDBAND = 0x80,
  POLLWRNORM = 0x100,
  POLLWRBAND = 0x200,
  POLLRDHUP = 0x2000;
/** What a file without a poll operation answers. */
export const DEFAULT_POLLMASK = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
export const POLLFD_SIZE = 8;

export const EPOLL_CTL_ADD = 1,
  EPOLL_CTL_DEL = 2,
  EPOLL_CTL_MOD = 3;
export const EPOLLONESHOT = 0x40000000,
  EPOLLET = 0x80000000;
/** `struct epoll_event` is packed in both ABIs. */
export const EPOLL_EVENT_SIZE = 12;
