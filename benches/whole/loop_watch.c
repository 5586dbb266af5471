// SPDX-License-Identifier: GPL-3.0-or-later
// Loaded into a program before its libraries (LD_PRELOAD): notes how long its main thread stays away from its loop.
//
// GLib's main loop waits for several things at once in poll(). Who waits there for a single one waits for an answer, of
// the display for instance: that is part of the time away. Each time away is written to the file $LOOP_WATCH as three
// numbers of 64 bits: the process, nanoseconds that passed, nanoseconds that the thread computed.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int64_t now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int poll(struct pollfd *fds, nfds_t n, int timeout) {
  static int (*wait_for)(struct pollfd *, nfds_t, int);
  if (!wait_for)
    wait_for = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
  if (n < 2 || gettid() != getpid())
    return wait_for(fds, n, timeout);
  static int file = -1;
  static int64_t passed, computed;
  if (file == -1 && getenv("LOOP_WATCH"))
    file = open(getenv("LOOP_WATCH"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (file != -1 && passed) {
    int64_t told[] = {getpid(), now(CLOCK_MONOTONIC) - passed, now(CLOCK_THREAD_CPUTIME_ID) - computed};
    if (write(file, told, sizeof told) != sizeof told)
      abort();
  }
  int ready = wait_for(fds, n, timeout);
  passed = now(CLOCK_MONOTONIC);
  computed = now(CLOCK_THREAD_CPUTIME_ID);
  return ready;
}
